// What each pod's proxy is served: volume, certificate and mesh state brought together, and the gate.
//
// In: volumes, SVIDs, the mesh state, how traffic is intercepted. Out: for each pod a Snapshot with subscription, and
// the bootstrap file.
// Never: gives listeners to a pod whose certificate is not there or whose traffic is not captured yet; takes back what
// a running proxy was given because something is missing at present.

export { PodSnapshots, type PodSnapshotsOptions } from './pod-snapshots.ts'
