import { CountersignError } from '../../shared/errors/index.ts'

/** @param retryAfter what the provider asks for; only seconds are looked at (RFC 9110, section 10.2.3) */
export function unavailable(message: string, retryAfter?: string, cause?: unknown): CountersignError {
  const facts = /^[0-9]{1,9}$/.test(retryAfter ?? '') ? { retryAfterSeconds: Number(retryAfter) } : {}
  return new CountersignError('ERR_KEYS_UNAVAILABLE', message, { facts, cause })
}

/** Which address it is stays untold: names are not resolved for people who write policies. */
export function blocked(place: string): CountersignError {
  return new CountersignError('ERR_KEYS_BLOCKED', `${place}: its address is one that keys are not fetched from`)
}

const WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be resolved at present',
  ECONNREFUSED: 'it refuses connections',
  ECONNRESET: 'it closed the connection',
  EPIPE: 'it closed the connection',
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no way to it',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  CERT_HAS_EXPIRED: 'its certificate has expired'
}
const CERTIFICATE = /CERT|SELF_SIGNED|ISSUER|SIGNATURE/

/** What Node.js throws, in words that a status may hold: no addresses; those are in the cause, for the log. */
export function unreachable(place: string, thrown: unknown): CountersignError {
  const code = codeOf(thrown)
  const why =
    WORDS[code] ??
    (CERTIFICATE.test(code) ? `its certificate is not trusted (${code})` : `it cannot be asked (${code})`)
  return unavailable(`${place}: ${why}`, undefined, thrown)
}

// Where several addresses were tried there are several errors; the first is as good as any.
function codeOf(thrown: unknown): string {
  const first = thrown instanceof AggregateError ? thrown.errors[0] : thrown
  return first instanceof Error && 'code' in first ? String(first.code) : 'unknown error'
}
