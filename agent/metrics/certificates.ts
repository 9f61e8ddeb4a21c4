/** As much of an SVID as is needed to know when it ends. */
export interface CertificateLife {
  /** Certificates with their ends in milliseconds since the epoch; never empty. */
  readonly chain: readonly { readonly notAfter: number }[]
}

export interface CertificateSummary {
  readonly valid: number
  readonly expired: number
  readonly missing: number
  /** Milliseconds since the epoch; undefined when there is no certificate at all. */
  readonly soonestExpiry: number | undefined
}

/** Counts certificates by state; a chain ends with the first certificate in it that does. */
export function summarize(lives: Iterable<CertificateLife | undefined>, now: number): CertificateSummary {
  const all = [...lives]
  const expiries = all.flatMap(life =>
    life === undefined ? [] : Math.min(...life.chain.map(({ notAfter }) => notAfter))
  )
  const expired = expiries.filter(expiry => now > expiry).length
  return {
    valid: expiries.length - expired,
    expired,
    missing: all.length - expiries.length,
    soonestExpiry: expiries.length === 0 ? undefined : Math.min(...expiries)
  }
}
