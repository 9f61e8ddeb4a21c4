import type { Random } from '../clock/index.ts'

// Certificates that were issued together, after an outage for one, spread over a tenth of their life.
const JITTER = 0.1

export interface Life {
  /** When the certificate came, in milliseconds since the epoch. */
  readonly issuedAt: number
  /** When it expires, likewise. */
  readonly notAfter: number
}

/**
 * When to renew: at half of the life, ± 10 % of that half. To be drawn once per certificate; drawing again at every
 * look would favour early renewal.
 */
export function renewalTime({ issuedAt, notAfter }: Life, random: Random): number {
  const half = (notAfter - issuedAt) / 2
  return issuedAt + half + half * JITTER * (2 * random() - 1)
}
