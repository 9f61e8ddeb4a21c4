import { show } from './schema.ts'

const LONGEST_URL = 2_048

const HTTP_URL = /^https?:\/\/[^\s\\]+$/

/** What is wrong with a URL of an issuer. Credentials in it are not shown. */
export function urlProblem(uri: string): string | undefined {
  const allowed = `expected an http or https URL of at most ${LONGEST_URL} characters`
  // Nothing of it is shown that might be a password, well-formed or not.
  const got = uri.includes('@') ? '' : `, got ${show(uri)}`
  if (uri.length > LONGEST_URL || !HTTP_URL.test(uri) || !URL.canParse(uri)) return `${allowed}${got}`
  const { username, password, hash } = new URL(uri)
  if (username !== '' || password !== '') return `${allowed}, got one with credentials: whoever reads it has them`
  return hash !== '' || uri.includes('#') ? `${allowed} without a fragment${got}` : undefined
}

/** An issuer is compared with the claim `iss` character by character (RFC 7519, section 4.1.1). */
export function issuerProblem(issuer: string): string | undefined {
  if (issuer.length > LONGEST_URL) return `expected at most ${LONGEST_URL} characters, got ${issuer.length}`
  return /^[^\s\p{Cc}]+$/u.test(issuer)
    ? undefined
    : `expected the issuer as tokens have it in "iss", without blanks, got ${show(issuer)}`
}

/** Whether keys can be found by OpenID Connect: at `<issuer>/.well-known/openid-configuration` (Discovery 1.0, 4.1). */
export function canDiscover(issuer: string): boolean {
  if (!HTTP_URL.test(issuer) || !URL.canParse(issuer) || /[?#]/.test(issuer)) return false
  const { username, password } = new URL(issuer)
  return username === '' && password === ''
}

export const isPlainHttp = (url: string): boolean => url.startsWith('http:')
