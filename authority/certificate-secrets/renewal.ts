import { createHash } from 'node:crypto'
import { renewalTime } from '../../shared/x509/index.ts'
import { issuedAt } from './lifetime.ts'
import type { Content } from './types.ts'

type Life = Pick<Content, 'notBefore' | 'notAfter' | 'serialNumber'>

export interface Renewal {
  readonly due: boolean
  /** When it is, or may be, the next time; milliseconds since the epoch. */
  readonly lookAgainAt: number
  /** It would be time, and is not done because it would bring next to nothing. */
  readonly issuerEnds: boolean
}

/** Of the wanted life: what a renewal has to bring, and of the actual one: before its end, anything is worth it. */
const WORTH = 0.1

/**
 * Whether it is time to renew, which all who ask agree upon: the draw comes from the serial number, and a leader that
 * has just taken over must not draw again.
 *
 * A certificate that ends with its issuer would be renewed ever faster, each one half as long as the one before; so
 * what brings less than a tenth of the wanted life waits for the last tenth of the actual one, and what brings nothing
 * at all is not done.
 *
 * @param reach until when a new one would be valid, in milliseconds since the epoch; undefined: nothing can be signed
 */
export function renewal(present: Life, wantedMs: number, reach: number | undefined, now: number): Renewal {
  const { notBefore, notAfter } = present
  const issued = issuedAt(present)
  const drawn = renewalTime({ issuedAt: issued, notAfter }, () => fractionOf(present.serialNumber))
  // An account that asks for a shorter life by now has a certificate that still outlasts a new one.
  const time = Math.max(drawn, notAfter - wantedMs * (1 - WORTH))
  const lastChance = Math.max(time, notAfter - (notAfter - issued) * WORTH)
  const over = now < notBefore || now >= notAfter
  if (over || reach === undefined) return { due: over || now >= time, lookAgainAt: time, issuerEnds: false }
  if (now < time) return { due: false, lookAgainAt: time, issuerEnds: false }
  const gain = reach - notAfter
  if (gain >= wantedMs * WORTH || (gain > 0 && now >= lastChance))
    return { due: true, lookAgainAt: now, issuerEnds: false }
  return { due: false, lookAgainAt: gain > 0 ? lastChance : notAfter, issuerEnds: true }
}

const DRAWN_BYTES = 6

/** From 0 to less than 1, as a draw is; the same for everybody. */
function fractionOf(serialNumber: string): number {
  return createHash('sha256').update(serialNumber).digest().readUIntBE(0, DRAWN_BYTES) / 256 ** DRAWN_BYTES
}
