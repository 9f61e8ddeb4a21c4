import type { Random } from '../../shared/clock/index.ts'

/** What an answer says of its own age. */
export interface CacheHeaders {
  readonly cacheControl?: string | undefined
  readonly expires?: string | undefined
  readonly date?: string | undefined
  readonly age?: string | undefined
}

const SHORTEST_MS = 60_000
const LONGEST_MS = 3_600_000
// As Istio has it.
const UNSAID_MS = 1_200_000

/**
 * For how long keys count as fresh, in milliseconds: what the answer says, between one minute and one hour; 20 minutes
 * when it says nothing. What it says wrongly counts as stale.
 *
 * Source: RFC 9111, sections 4.2.1 (lifetime), 4.2.3 (age) and 5.2.2 (directives).
 */
export function freshForMs(headers: CacheHeaders, now: number): number {
  const lifetime = lifetimeMs(headers, now)
  if (lifetime === undefined) return UNSAID_MS
  const age = /^[0-9]+$/.test(headers.age ?? '') ? Number(headers.age) * 1_000 : 0
  const left = lifetime - age
  // Not a number: said wrongly.
  return left >= SHORTEST_MS ? Math.min(left, LONGEST_MS) : SHORTEST_MS
}

function lifetimeMs({ cacheControl, expires, date }: CacheHeaders, now: number): number | undefined {
  const directives = (cacheControl ?? '').split(',').map(directive => directive.trim().toLowerCase())
  if (directives.some(directive => /^no-(cache|store)\b/.test(directive))) return 0
  const maxAge = directives.find(directive => /^max-age\b/.test(directive))
  if (maxAge !== undefined) return Number(/^max-age="?([0-9]+)"?$/.exec(maxAge)?.[1]) * 1_000
  if (expires === undefined) return undefined
  const sentAt = date === undefined ? now : Date.parse(date)
  return Date.parse(expires) - (Number.isNaN(sentAt) ? now : sentAt)
}

/** When to look again, in milliseconds: between 75 % and 85 % of the time for which keys are fresh. */
export function refreshDelayMs(freshMs: number, random: Random): number {
  return Math.round(freshMs * (0.75 + random() * 0.1))
}

const FIRST_RETRY_MS = 1_000
const LONGEST_WITHOUT_KEYS_MS = 60_000
const LONGEST_WITH_KEYS_MS = 300_000

/**
 * When to try again after so many failures in a row (at least 1), in milliseconds: doubling from a second to a minute,
 * or to five while old keys serve; drawn between half of that and all of it. What the provider asks for (RFC 9110,
 * section 10.2.3, Retry-After) is kept up to the same limit.
 */
export function retryDelayMs(failures: number, hasKeys: boolean, random: Random, askedForSeconds = 0): number {
  const longest = hasKeys ? LONGEST_WITH_KEYS_MS : LONGEST_WITHOUT_KEYS_MS
  const own = Math.min(longest, FIRST_RETRY_MS * 2 ** (failures - 1)) * (0.5 + random() / 2)
  return Math.round(Math.max(own, Math.min(longest, askedForSeconds * 1_000)))
}
