import type { DiscoveredEndpoints } from './provider-endpoints.ts'

/** What is known of one key set. */
export interface KeySetState {
  readonly name: string
  /** Canonical JSON of the usable public keys: equal sets are equal strings. Undefined: there are none, no token is valid. */
  readonly jwks: string | undefined
  readonly condition: KeySetCondition
  /** What the issuer's discovery says of signing in; absent where it was not asked. The same object while it says so. */
  readonly discovered?: DiscoveredEndpoints
}

export interface KeySetCondition {
  /**
   * `ready`: keys are there. `waiting`: they are being fetched for the first time. `failing`: they could not be
   * fetched; those of the last time go on serving where there are some.
   */
  readonly status: KeySetStatus
  /** For people: since when, and why. No secrets. */
  readonly message: string
}

export type KeySetStatus = 'ready' | 'waiting' | 'failing'
