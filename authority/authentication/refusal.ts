import { CountersignError, type ErrorCode } from '../../shared/errors/index.ts'

/** Why a token proves nothing. */
const TOKEN_REFUSALS = {
  missing: 'the request holds no token',
  unexpected: 'a token was sent where the connection itself is the proof',
  malformed: 'the token is not a signed JWT of reasonable size',
  algorithm: 'the token is signed with an algorithm other than RS256, ES256, ES384 and ES512',
  unknown_key: 'the token names a key that the API server is not known to have',
  signature: 'the signature of the token does not verify',
  issuer: 'the token is of another issuer',
  audience: 'the token is not for this audience alone',
  expired: 'the token expired',
  not_yet_valid: 'the token is not valid yet',
  claims: 'the token lacks a claim that every service account token has',
  not_pod_bound: 'the token is not bound to a pod',
  no_node: 'the token does not say on which node its pod runs',
  subject: 'the subject of the token is not the service account in its claims'
} as const
export type TokenRefusal = keyof typeof TOKEN_REFUSALS

/** Why a caller, though it proved who it is, may not have what it asks for. */
const CALLER_REFUSALS = {
  unknown_peer: 'the connection is neither anonymous nor that of an agent',
  anonymous: 'only an agent may ask for the certificate of a pod, and the caller showed no certificate',
  not_the_agent: 'the service account is not that of the agents',
  other_node: 'the pod of the proof runs on another node than the calling agent',
  other_pod: 'the proof is for another pod than the request',
  no_proof: 'the request proves nothing about its pod',
  pod_unknown: 'no pod of that UID is known',
  pod_differs: 'the pod of that UID has another namespace or name',
  other_account: 'the pod runs under another service account',
  pod_elsewhere: 'the pod is not on the node of the calling agent',
  pod_finished: 'the pod has finished',
  pod_deleted: 'the pod was to be gone by now',
  no_agent_pod: 'no pod of the agents runs on that node'
} as const
export type CallerRefusal = keyof typeof CALLER_REFUSALS | PodRefusal

/** Why a pod gets no certificate although its caller proved everything. */
const POD_NOT_ENROLLED = {
  pod_not_enrolled: 'neither the namespace of the pod nor its own label enrols it'
} as const
const POD_BELOW_FLOOR = {
  pod_below_floor:
    'the pod excludes ports or interfaces from its proxy, which the floor of its namespace does not allow'
} as const
type PodRefusal = keyof typeof POD_NOT_ENROLLED | keyof typeof POD_BELOW_FLOOR

/** Why a renewal does not prove possession of a current certificate. */
const RENEWAL_REFUSALS = {
  current_certificate: 'the current certificate does not verify',
  other_trust_domain: 'the current certificate is of another trust domain',
  not_a_workload: 'the current certificate is not that of a pod',
  proof: 'the proof was not made by the key of the current certificate'
} as const
export type RenewalRefusal = keyof typeof RENEWAL_REFUSALS

export type Refusal = TokenRefusal | CallerRefusal | RenewalRefusal

const TABLES: readonly (readonly [ErrorCode, Readonly<Record<string, string>>])[] = [
  ['ERR_TOKEN_REFUSED', TOKEN_REFUSALS],
  ['ERR_CALLER_REFUSED', CALLER_REFUSALS],
  ['ERR_POD_NOT_ENROLLED', POD_NOT_ENROLLED],
  ['ERR_POD_BELOW_FLOOR', POD_BELOW_FLOOR],
  ['ERR_RENEWAL_REFUSED', RENEWAL_REFUSALS]
]

/** The error for a refusal; `facts.reason` is the reason itself. */
export function refusal(reason: Refusal, cause?: unknown): CountersignError {
  const options = { facts: { reason }, ...(cause === undefined ? {} : { cause }) }
  for (const [code, table] of TABLES) {
    const sentence = table[reason]
    if (sentence !== undefined) return new CountersignError(code, sentence, options)
  }
  throw new TypeError(`BUG: refusal ${reason} is in no table`)
}
