import type { Login } from './login.ts'
import type { PolicyIdentity } from './policy-identity.ts'
import type { TokenSource } from './token-source.ts'

/** An EndUserAuthentication of countersign.dev, checked and frozen: which requests need a token, and of whom. */
export interface EndUserAuthentication extends PolicyIdentity {
  readonly apiVersion: 'countersign.dev/v1'
  /** Where it names no place for tokens, the header Authorization is meant and nothing else. */
  readonly source: TokenSource
  /** Absent: browsers are refused like everybody else. */
  readonly login?: Login
  /** Path patterns; empty: every path. */
  readonly includePaths: readonly string[]
  readonly excludePaths: readonly string[]
  /** HTTP methods; empty: every one. */
  readonly methods: readonly string[]
  /** Ports of the workload on which the policy is not enforced, ascending. */
  readonly exemptPorts: readonly number[]
}
