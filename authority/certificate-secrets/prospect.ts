import { CountersignError } from '../../shared/errors/index.ts'
import { issuerLife, template } from '../issuance/index.ts'
import { lifetimesOf } from './lifetime.ts'
import type { Limits, Note, Trust, WantedCertificate } from './types.ts'

/** What would come of signing, as issuance sees it. Times are in milliseconds since the epoch. */
export type Prospect =
  /** `reach`: until when the certificate would be valid. */
  | { readonly kind: 'usable'; readonly reach: number; readonly issuerEnds: number }
  /** `from`: when that may be over by itself; infinite: never. */
  | { readonly kind: 'unusable'; readonly why: string; readonly from: number }

export function prospectOf(wanted: WantedCertificate, { issuer }: Trust, limits: Limits, now: number): Prospect {
  const { notBefore, notAfter: issuerEnds } = issuerLife(issuer)
  try {
    return { kind: 'usable', reach: template(wanted, lifetimesOf(limits), issuer, now).notAfter, issuerEnds }
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error
    return { kind: 'unusable', why: error.message, from: notBefore > now ? notBefore : Number.POSITIVE_INFINITY }
  }
}

/** Word of a certificate that ends when its issuer does, which is sooner than it should. */
export function issuerEndsNote(issuerEnds: number): Note {
  const end = new Date(issuerEnds).toISOString()
  const message = `the certificate of the authority ends at ${end}: until it has another, no certificate lasts longer`
  return { reason: 'IssuerEnds', message }
}
