// The agent as a client of the authority.
//
// In: the authority's address, a trust bundle file, the agent's own token file, the pods' certificate requests.
// Out: the agent's own SVID, signed certificates for pods, the mesh state, the roots that are trusted; each as a current
// value with word of its changes, and what is needed of it kept for a start without the authority.
// Never: trusts a server that does not prove to be spiffe://<trust domain>/countersign/authority; sees the key of a
// pod; decides what a pod may be given.
// Source: countersign/ca/v1 and countersign/mesh/v1 (shared/proto); "xDS REST and gRPC protocol", section "Incremental
// xDS"; X509-SVID, section 5.

export { AuthorityLink } from './authority-link.ts'
export { BundleFile } from './bundle-file.ts'
export type { MeshState } from './mesh-state.ts'
