// Secure naming: which service accounts run each Service, and everything else that agents are told of the mesh.
//
// In: an Inventory, the mesh's settings, what is known of what policies name, the state before. Out: messages of countersign.mesh.v1, encoded snapshots by
// node, a directory of pods for issuing, and problems to tell the operator.
// Never: reads a clock, a file or a socket; never makes the set of a Service's identities wider than it is known to
// be: nobody is nobody, not anybody.
// Source: Istio, "Secure naming", PeerAuthentication, RequestAuthentication, "Protocol Selection"; countersign/mesh/v1/mesh.proto.

export { tokenSources } from './end-user-policy.ts'
export type { Enrolment } from './enrolment.ts'
export type { Known, KnownKeys, KnownLoginSecrets } from './known.ts'
export type { KeySetNames, MeshSettings } from './mesh-message.ts'
export { type MeshState, meshState } from './mesh-state.ts'
export { type PodDirectory, type PodRecord, podDirectory } from './pod-directory.ts'
export type { NamingProblem } from './problem.ts'
export { type MeshSnapshots, snapshots } from './snapshots.ts'
