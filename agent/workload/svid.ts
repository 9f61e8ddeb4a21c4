import type { KeyObject } from 'node:crypto'
import type { SpiffeId } from '../../shared/identity/index.ts'
import type { Certificate } from '../../shared/x509/index.ts'

/** An X509-SVID with its private key. */
export interface Svid {
  readonly spiffeId: SpiffeId
  /** The SVID first, then its intermediates; never empty. */
  readonly chain: readonly Certificate[]
  readonly privateKey: KeyObject
  /** When it came, in milliseconds since the epoch, by this machine's clock: `notBefore` is backdated by its issuer. */
  readonly issuedAt: number
}

/** When the first certificate of the chain ceases to be valid, in milliseconds since the epoch. */
export function expiryOf(svid: Pick<Svid, 'chain'>): number {
  return Math.min(...svid.chain.map(certificate => certificate.notAfter))
}

/** RFC 5280, section 4.1.2.5: valid until notAfter, inclusive. */
export function isExpired(svid: Pick<Svid, 'chain'>, now: number): boolean {
  return now > expiryOf(svid)
}
