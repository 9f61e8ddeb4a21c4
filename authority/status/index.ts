// What the authority made of each policy, and which Services contradict each other about a port, told where their
// authors look: in the status of the object itself.
//
// In: what the mesh is made of, what naming and keys found, leadership. Out: conditions of PeerAuthentications,
// RequestAuthentications, EndUserAuthentications and Services, kept right in the Kubernetes API.
// Never: writes while another replica leads, or what is there already; touches conditions of others; says how many pods
// there are: starting one is no reason to write.
// Source: Kubernetes, "API Conventions", "Typical status properties"; RFC 7396.

export { PROTOCOL_CONFLICT } from './policy-status.ts'
export { policyStatuses, type StatusInputs } from './policy-statuses.ts'
export { serviceStatuses } from './service-statuses.ts'
export { StatusWriter, type StatusWriterOptions } from './status-writer.ts'
export { unreadableStatuses } from './unreadable-statuses.ts'
