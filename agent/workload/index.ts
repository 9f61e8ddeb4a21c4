// A pod's key, certificate request, certificate; and the one mechanism by which SVIDs are kept current.
//
// In: volumes (which pods there are, with their tokens), an authority behind `IssuingPort`, a store, the time.
// Out: per pod the current SVID with its key, and word when it changes.
// Never: gives up a certificate before its successor is in hand, verified and kept; uses a key for two certificates;
// speaks a protocol. Keys leave this room as KeyObject, towards the store and the pod's own socket only.
// Source: X509-SVID (SPIFFE); renewal at half of the life with jitter as the SPIRE agent does it.

export { firstAccepted, type Way } from './first-accepted.ts'
export type { IssuingPort, IssuingProof, IssuingRequest, RotationObserver, SvidStore } from './ports.ts'
export { Rotation, type RotationRequest } from './rotation.ts'
export { isExpired, type Svid } from './svid.ts'
export { WorkloadIdentities, type WorkloadIdentitiesOptions } from './workload-identities.ts'
