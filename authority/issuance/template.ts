import { CountersignError } from '../../shared/errors/index.ts'
import type { SpiffeId } from '../../shared/identity/index.ts'
import type { CertificateTemplate, Issuer } from '../../shared/x509/index.ts'

/** How long certificates live, all in milliseconds. */
export interface Lifetimes {
  /** Where none is asked for. Default: 24 hours. */
  readonly defaultMs: number
  /** Whatever is asked for. Default: 24 hours. */
  readonly maximumMs: number
  /** Whatever is asked for; an issuer with less than this left signs nothing more. Default: 10 seconds. */
  readonly minimumMs: number
}

const DAY_MS = 86_400_000
export const DEFAULT_LIFETIMES: Lifetimes = { defaultMs: DAY_MS, maximumMs: DAY_MS, minimumMs: 10_000 }

/** Clocks of those who verify may be behind by this much. */
export const BACKDATED_MS = 60_000

export interface Wanted {
  readonly spiffeId: SpiffeId
  /** Milliseconds; undefined: the default. */
  readonly lifetimeMs: number | undefined
  /** Names beside the SPIFFE ID, which somebody has granted; none where a request comes from outside. */
  readonly dnsNames?: readonly string[]
}

/** While an issuer and everything between it and its root are valid, in milliseconds since the epoch. */
export function issuerLife(issuer: Issuer): { readonly notBefore: number; readonly notAfter: number } {
  const above = [issuer.certificate, ...issuer.chain]
  return {
    notBefore: Math.max(...above.map(({ notBefore }) => notBefore)),
    notAfter: Math.min(...above.map(({ notAfter }) => notAfter))
  }
}

/**
 * What the certificate says. Its lifetime is clamped to the limits and to what is left of the issuer and of everything
 * between the issuer and its root: a leaf that outlives them would fail before its holder expects it to.
 *
 * @throws CountersignError ERR_ISSUER_UNUSABLE when less than the minimum is left
 */
export function template(wanted: Wanted, lifetimes: Lifetimes, issuer: Issuer, now: number): CertificateTemplate {
  const { notBefore: earliest, notAfter: latest } = issuerLife(issuer)
  if (latest < now + lifetimes.minimumMs)
    throw new CountersignError(
      'ERR_ISSUER_UNUSABLE',
      `the certificate of the authority ends at ${timeText(latest)}: too soon to sign with it`
    )
  if (earliest > now)
    throw new CountersignError(
      'ERR_ISSUER_UNUSABLE',
      `the certificate of the authority is not valid before ${timeText(earliest)}`
    )
  const asked = wanted.lifetimeMs ?? lifetimes.defaultMs
  const lifetime = Math.max(lifetimes.minimumMs, Math.min(asked, lifetimes.maximumMs))
  return {
    usage: 'workload',
    spiffeId: wanted.spiffeId,
    ...(wanted.dnsNames === undefined ? {} : { dnsNames: wanted.dnsNames }),
    notBefore: Math.max(now - BACKDATED_MS, earliest),
    notAfter: Math.min(now + lifetime, latest)
  }
}

const timeText = (milliseconds: number): string => new Date(milliseconds).toISOString()
