import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'

/** Why a key is left out. `private` is a mistake of the issuer's that it should hear of. */
export type KeyRefusal =
  | 'malformed'
  | 'symmetric'
  | 'private'
  | 'not for signatures'
  | 'algorithm not supported'
  | 'weak or unusual parameters'

/** A key as proxies are given it, as canonical JSON, or why they are not. */
export type JudgedKey = { readonly json: string } | { readonly refusal: KeyRefusal }

interface Kind {
  /** Values of `alg` that Envoy takes for such a key; one that it does not take spoils it. */
  readonly algorithms: readonly string[]
  isSound(key: KeyObject): boolean
}

const sound = (): boolean => true
const RSA: Kind = { algorithms: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'], isSound: isSoundRsa }
// RFC 7518, section 6; RFC 8037, section 2. What Envoy 1.40 verifies: the test asks it.
const KINDS: ReadonlyMap<string, Kind> = new Map([
  ['RSA', RSA],
  ['EC P-256', { algorithms: ['ES256'], isSound: sound }],
  ['EC P-384', { algorithms: ['ES384'], isSound: sound }],
  ['EC P-521', { algorithms: ['ES512'], isSound: sound }],
  ['OKP Ed25519', { algorithms: ['EdDSA'], isSound: sound }]
])

const LONGEST_KEY_ID = 1_024

/**
 * Judges one key of a set. What is taken over is computed from the key itself, with `kid` and `alg` beside it: nothing
 * else that a provider publishes reaches a proxy. Never throws.
 *
 * Source: RFC 7517, section 4.
 */
export function judgeKey(value: unknown): JudgedKey {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { refusal: 'malformed' }
  const jwk = value as Readonly<Record<string, unknown>>
  const { kty, crv, kid, alg } = jwk
  if (kty === 'oct') return { refusal: 'symmetric' }
  // RFC 7518, sections 6.2.2 and 6.3.2: "d" is in every private key, whatever else is.
  if ('d' in jwk) return { refusal: 'private' }
  if (!isForSignatures(jwk)) return { refusal: 'not for signatures' }
  const kind = KINDS.get(kty === 'RSA' ? 'RSA' : `${String(kty)} ${String(crv)}`)
  if (kind === undefined) return { refusal: 'algorithm not supported' }
  if (alg !== undefined && !kind.algorithms.includes(alg as string)) return { refusal: 'algorithm not supported' }
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > LONGEST_KEY_ID)) return { refusal: 'malformed' }
  const key = importKey(jwk)
  if (key === undefined) return { refusal: 'malformed' }
  if (!kind.isSound(key)) return { refusal: 'weak or unusual parameters' }
  const members = { ...key.export({ format: 'jwk' }), alg, kid }
  return { json: JSON.stringify(Object.fromEntries(Object.entries(members).sort(byName))) }
}

function isForSignatures({ use, key_ops: operations }: Readonly<Record<string, unknown>>): boolean {
  if (use !== undefined && use !== 'sig') return false
  return operations === undefined || (Array.isArray(operations) && operations.includes('verify'))
}

// node:crypto checks that a point is on its curve.
function importKey(jwk: Readonly<Record<string, unknown>>): KeyObject | undefined {
  try {
    return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })
  } catch {
    return undefined
  }
}

const SHORTEST_MODULUS_BITS = 2_048 // RFC 7518, section 3.3
const LONGEST_MODULUS_BITS = 8_192
// BoringSSL, crypto/fipsmodule/rsa: an exponent is odd, greater than 1, and has 33 bits at most.
const LARGEST_EXPONENT = 2n ** 33n

function isSoundRsa(key: KeyObject): boolean {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  const { n = '' } = key.export({ format: 'jwk' })
  const modulusIsOdd = ((Buffer.from(n, 'base64url').at(-1) ?? 0) & 1) === 1
  return (
    modulusLength >= SHORTEST_MODULUS_BITS &&
    modulusLength <= LONGEST_MODULUS_BITS &&
    modulusIsOdd &&
    publicExponent > 1n &&
    publicExponent < LARGEST_EXPONENT &&
    publicExponent % 2n === 1n
  )
}

const byName = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : 1)
