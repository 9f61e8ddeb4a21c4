import { isDeepStrictEqual } from 'node:util'
import { CountersignError } from '../../shared/errors/index.ts'
import type { FetchedKeys } from './fetch-keys.ts'
import type { KeySetCondition } from './key-set-state.ts'
import type { DiscoveredEndpoints } from './provider-endpoints.ts'

/** What is known of a place of keys. */
export interface Knowledge {
  readonly jwks: string | undefined
  /** What its discovery said last; undefined where it was not asked. The same object while it says the same. */
  readonly discovered: DiscoveredEndpoints | undefined
  /** When a provider last answered with keys, in milliseconds since the epoch; undefined: not since the start. */
  readonly confirmedAt: number | undefined
  /** In a row. */
  readonly failure: { readonly count: number; readonly since: number; readonly error: CountersignError } | undefined
  /** Since when the provider has been answering that it has no key; undefined: it has, or does not answer. */
  readonly emptySince: number | undefined
}

export const UNKNOWN: Knowledge = {
  jwks: undefined,
  discovered: undefined,
  confirmedAt: undefined,
  failure: undefined,
  emptySince: undefined
}

/**
 * For how long a provider must publish no usable key until it is believed. That is how the last key is withdrawn, and
 * it is what some answer while they start, for some seconds: a mistake must not stop every request, a withdrawal must
 * not wait for somebody to notice. Any other key that is withdrawn is gone with the first answer without it.
 */
const WITHDRAWN_AFTER_MS = 30_000

/** After an answer: a set with keys replaces what was known; one without counts as a failure, and later as withdrawal. */
export function afterAnswer(before: Knowledge, answer: FetchedKeys, now: number): Knowledge {
  const { jwks, url } = answer
  const discovered = isDeepStrictEqual(before.discovered, answer.discovered) ? before.discovered : answer.discovered
  if (jwks !== undefined) return { jwks, discovered, confirmedAt: now, failure: undefined, emptySince: undefined }
  const known = { ...before, discovered }
  const emptySince = known.emptySince ?? now
  // A clock that was set back makes it longer, never forever.
  const since = Math.min(emptySince, now)
  const error = new CountersignError('ERR_KEYS_INVALID', `${url}: no key in it can verify a token's signature`)
  const failed = afterFailure(known, error, now)
  const withdrawn = now - since >= WITHDRAWN_AFTER_MS
  return { ...failed, jwks: withdrawn ? undefined : known.jwks, emptySince: since }
}

/** After a failure: what was known stays, for as long as it takes. */
export function afterFailure(known: Knowledge, error: CountersignError, now: number): Knowledge {
  const { count, since } = known.failure ?? { count: 0, since: now }
  return { ...known, failure: { count: count + 1, since, error } }
}

export function conditionOf({ jwks, failure }: Knowledge): KeySetCondition {
  if (failure === undefined)
    return jwks === undefined
      ? { status: 'waiting', message: 'keys are being fetched for the first time' }
      : { status: 'ready', message: 'keys are there' }
  const since = new Date(failure.since).toISOString().replace(/\.\d+Z$/, 'Z')
  const effect = jwks === undefined ? 'there are no keys and no token is valid' : 'the keys fetched last go on serving'
  return { status: 'failing', message: `${effect}; since ${since} they cannot be fetched: ${failure.error.message}` }
}
