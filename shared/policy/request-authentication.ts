import type { PolicyIdentity } from './policy-identity.ts'
import type { TokenSource } from './token-source.ts'

/** One of `jwtRules`. */
export interface JwtRule extends TokenSource {
  /** `presence: REQUIRED`: a request without a valid token of this rule is refused, whatever other tokens it has. */
  readonly required?: true
}

/** A RequestAuthentication of security.istio.io, checked and frozen: whose tokens are verified, and which must be there. */
export interface RequestAuthentication extends PolicyIdentity {
  readonly apiVersion: 'security.istio.io/v1' | 'security.istio.io/v1beta1'
  /** As written, one per issuer. */
  readonly rules: readonly JwtRule[]
  /** Ports of the workload on which the policy is not enforced, ascending; from its annotation. */
  readonly exemptPorts: readonly number[]
}
