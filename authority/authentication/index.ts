// Who asks: whether a token or the key of a current certificate proves which pod a request is for, and whether the
// calling agent may speak for that pod.
//
// In: tokens, the keys of the API server, what the directory of pods holds, the node of the caller, the time.
// Out: the SPIFFE ID that may be certified, or ERR_TOKEN_REFUSED, ERR_CALLER_REFUSED, ERR_RENEWAL_REFUSED with a reason.
// Never: asks the API server while a request waits, but for a key that nobody knows, and that seldom; looks at what the request asks for; keeps or logs a token.
// Source: RFC 7519 and RFC 8725 for tokens, k8s.io/kubernetes pkg/serviceaccount for their claims.

export { ApiTokenKeys, type ApiTokenKeysOptions } from './api-token-keys.ts'
export {
  type AgentAccount,
  type AgentByToken,
  type AgentRenewal,
  authorizeAgent,
  authorizeAgentRenewal,
  authorizeRenewal,
  authorizeWorkloadByToken,
  type Decision,
  type PodDirectory,
  type PodRecord,
  type Renewal,
  type WorkloadByToken
} from './authorize.ts'
export { identifyPeer } from './identify-peer.ts'
export {
  type PodClaims,
  type PodTokenOptions,
  type PodTokenVerifier,
  podTokenVerifier,
  type TokenKeys,
  verifyPodToken
} from './pod-token.ts'
export { type Refusal, refusal } from './refusal.ts'
export { TokenKeyFile, type TokenKeyFileOptions } from './token-key-file.ts'
