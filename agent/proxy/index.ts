// The proxy's configuration: mesh state, a pod and its certificate become Envoy resources.
//
// In: messages of countersign.mesh.v1, a pod's SVID, how its traffic is intercepted. Out: a Snapshot for that pod's
// socket.
// Never: touches a socket, a file or a clock; decides who is trusted; encodes twice what it has encoded. Inputs are
// immutable: what changes is replaced, and identity of objects is what tells.
// Source: Envoy 1.40, API v3 reference; X509-SVID (SPIFFE), section 5, by Envoy's SPIFFE validator.

export type { Interception } from './interception.ts'
export type { MeshState } from './mesh-state.ts'
export type { PodState } from './pod-resources.ts'
export { identitySecrets, trustSecrets } from './secrets.ts'
export { composeSnapshot } from './snapshot.ts'
