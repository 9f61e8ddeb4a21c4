// What the authority made of each policy, told where its author looks: in the status of the policy itself.
//
// In: what the mesh is made of, what naming and keys found, leadership. Out: conditions of PeerAuthentications,
// RequestAuthentications and EndUserAuthentications, kept right in the Kubernetes API.
// Never: writes while another replica leads, or what is there already; touches conditions of others; says how many pods
// there are: starting one is no reason to write.
// Source: Kubernetes, "API Conventions", "Typical status properties"; RFC 7396.

export { policyStatuses, type StatusInputs } from './policy-statuses.ts'
export { StatusWriter, type StatusWriterOptions } from './status-writer.ts'
export { unreadableStatuses } from './unreadable-statuses.ts'
