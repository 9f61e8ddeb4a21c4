// Policies as users write them: the kinds of security.istio.io, checked strictly and made into small typed objects.
//
// In: an object out of YAML or of the Kubernetes API. Out: a frozen policy, or every issue with the path to it.
// Never: reads a file or calls an API; never says what a policy means for a pod; never ignores an unknown field.
// Source: Istio, reference of security.istio.io/v1.

export { checkPeerAuthentication, parsePeerAuthentication } from './check-peer-authentication.ts'
export { describeIssue, formatPath, type PolicyIssue, type PolicyResult } from './issue.ts'
export type { MutualTlsMode, PeerAuthentication } from './peer-authentication.ts'
