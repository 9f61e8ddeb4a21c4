import type { PolicyIdentity } from './policy-identity.ts'
import type { TokenSource } from './token-source.ts'

/** A RequestAuthentication of security.istio.io, checked and frozen: whose tokens are verified. It demands none. */
export interface RequestAuthentication extends PolicyIdentity {
  readonly apiVersion: 'security.istio.io/v1' | 'security.istio.io/v1beta1'
  /** As written, one per issuer. */
  readonly rules: readonly TokenSource[]
  /** Ports of the workload on which the policy is not enforced, ascending; from its annotation. */
  readonly exemptPorts: readonly number[]
}
