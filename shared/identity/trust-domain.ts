import { CountersignError } from '../errors/index.ts'

// SPIFFE-ID, section 2.1: lower-case letters, digits, dots, dashes and underscores.
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/

/** The name of a trust domain, for example `cluster.local`; made only by `parseTrustDomain`. */
export type TrustDomain = string & { readonly __brand: 'TrustDomain' }

/** @throws CountersignError ERR_SPIFFE_ID_INVALID */
export function parseTrustDomain(text: string): TrustDomain {
  if (!TRUST_DOMAIN.test(text))
    throw new CountersignError(
      'ERR_SPIFFE_ID_INVALID',
      `trust domain ${JSON.stringify(text)} is not allowed: expected 1 to 255 lower-case letters, digits, dots, dashes or underscores`
    )
  return text as TrustDomain
}
