import type { Random } from '../../shared/clock/index.ts'

const FIRST_MS = 200
const LONGEST_MS = 30_000
/** Of a life: whatever the outage, there are this many tries in the life of a certificate. */
const SHARE_OF_LIFE = 20

/**
 * How long to wait before trying again: exponential backoff with full jitter, from 200 ms up to 30 s or a twentieth of
 * the certificate's life, whichever is less.
 *
 * @param failures how many tries in a row have failed, from 1
 */
export function retryDelay(failures: number, lifetimeMs: number, random: Random): number {
  const longest = Math.min(LONGEST_MS, lifetimeMs / SHARE_OF_LIFE)
  return random() * Math.min(longest, FIRST_MS * 2 ** (failures - 1))
}
