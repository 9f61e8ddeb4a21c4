// Policies as users write them: kinds of security.istio.io and our own, checked strictly and made into small typed
// objects.
//
// In: an object out of YAML or of the Kubernetes API. Out: a frozen policy, with what its author may not have meant, or
// every issue with the path to it.
// Never: reads a file or calls an API; never says what a policy means for a pod; never ignores an unknown field; never
// quotes a key.
// Source: Istio, reference of security.istio.io/v1; docs/end-users.md; RFC 7517 for keys.

export { checkEndUserAuthentication, parseEndUserAuthentication } from './check-end-user-authentication.ts'
export { checkPeerAuthentication, parsePeerAuthentication } from './check-peer-authentication.ts'
export { checkRequestAuthentication, parseRequestAuthentication } from './check-request-authentication.ts'
export type { EndUserAuthentication } from './end-user-authentication.ts'
export { EXEMPT_PORTS_ALLOWED, EXEMPT_PORTS_ANNOTATION } from './exempt-ports.ts'
export { describeIssue, formatPath, type PolicyIssue, type PolicyResult } from './issue.ts'
export type { Login } from './login.ts'
export type { MutualTlsMode, PeerAuthentication } from './peer-authentication.ts'
export type { PolicyIdentity } from './policy-identity.ts'
export type { JwtRule, RequestAuthentication } from './request-authentication.ts'
export type { TokenSource } from './token-source.ts'
export { type UnreadablePolicy, unreadablePolicy } from './unreadable-policy.ts'
