import { CountersignError } from '../../shared/errors/index.ts'

const SCHEMES: ReadonlySet<string> = new Set(['https:', 'http:'])

/**
 * A URL that keys may be at. `http` is allowed where a policy writes it itself.
 *
 * @param field what it is, for the error: `jwksUri`
 * @throws CountersignError ERR_KEYS_INVALID
 */
export function keyUrl(text: string, field: string): URL {
  const url = URL.parse(text)
  if (url === null || !SCHEMES.has(url.protocol)) throw invalid(`${field}: expected an https or http URL`)
  if (url.username !== '' || url.password !== '')
    throw invalid(`${field}: expected a URL without a user name and a password`)
  url.hash = ''
  return url
}

/**
 * Where one document leads to another: a redirect, or the `jwks_uri` of a discovery document. Never from https to http:
 * whoever can change what is sent in the clear would choose the keys.
 *
 * @throws CountersignError ERR_KEYS_INVALID
 */
export function nextUrl(from: URL, to: unknown, field: string): URL {
  const text = typeof to === 'string' ? (URL.parse(to, from.href)?.href ?? '') : ''
  const url = keyUrl(text, `${showUrl(from)}: ${field}`)
  if (from.protocol === 'https:' && url.protocol !== 'https:')
    throw invalid(`${showUrl(from)}: ${field}: expected https, got http`)
  return url
}

/** Without query: it may hold what is not for everybody. */
export function showUrl({ origin, pathname }: URL): string {
  return `${origin}${pathname}`
}

const WELL_KNOWN = '/.well-known/openid-configuration'

/**
 * Where an issuer says where its keys are.
 *
 * Source: OpenID Connect Discovery 1.0, sections 3 (what an issuer is) and 4.1.
 *
 * @throws CountersignError ERR_KEYS_INVALID when the issuer is no URL
 */
export function discoveryUrl(issuer: string): URL {
  if (/[?#]/.test(issuer)) throw invalid('issuer: expected a URL without query and fragment, or a jwksUri beside it')
  return keyUrl(`${keyUrl(issuer, 'issuer').href.replace(/\/$/, '')}${WELL_KNOWN}`, 'issuer')
}

const invalid = (message: string): CountersignError => new CountersignError('ERR_KEYS_INVALID', message)
