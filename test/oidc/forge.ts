import { createHmac, generateKeyPairSync, type KeyObject, constants as rsa, sign } from 'node:crypto'

type Scheme = (data: Buffer, key: KeyObject) => Buffer

const rsaPkcs1 =
  (hash: string): Scheme =>
  (data, key) =>
    sign(hash, data, key)
const rsaPss =
  (hash: string): Scheme =>
  (data, key) =>
    sign(hash, data, { key, padding: rsa.RSA_PKCS1_PSS_PADDING, saltLength: rsa.RSA_PSS_SALTLEN_DIGEST })
const ecdsa =
  (hash: string): Scheme =>
  (data, key) =>
    sign(hash, data, { key, dsaEncoding: 'ieee-p1363' })

/** How each algorithm signs (RFC 7518, section 3; RFC 8037, section 3.1). */
const SCHEMES = {
  RS256: rsaPkcs1('sha256'),
  RS384: rsaPkcs1('sha384'),
  RS512: rsaPkcs1('sha512'),
  PS256: rsaPss('sha256'),
  PS384: rsaPss('sha384'),
  PS512: rsaPss('sha512'),
  ES256: ecdsa('sha256'),
  ES384: ecdsa('sha384'),
  ES512: ecdsa('sha512'),
  EdDSA: (data, key) => sign(null, data, key)
} as const satisfies Record<string, Scheme>

export type Algorithm = keyof typeof SCHEMES

/** A key of an issuer, of which everything is known. */
export interface SigningKey {
  readonly algorithm: Algorithm
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** As it is published (RFC 7517). */
  readonly jwk: Readonly<Record<string, unknown>>
}

const GENERATE: Readonly<Record<string, () => { privateKey: KeyObject; publicKey: KeyObject }>> = {
  RS: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  EdDSA: () => generateKeyPairSync('ed25519')
}

export function newSigningKey(algorithm: Algorithm, kid: string = algorithm): SigningKey {
  const generate = GENERATE[algorithm] ?? GENERATE[algorithm.slice(0, 2)]
  if (generate === undefined) throw new TypeError(`no keys for ${algorithm}`)
  const { privateKey, publicKey } = generate()
  return {
    algorithm,
    privateKey,
    publicKey,
    jwk: { ...publicKey.export({ format: 'jwk' }), use: 'sig', alg: algorithm, kid }
  }
}

export const keySet = (...keys: readonly { readonly jwk: Readonly<Record<string, unknown>> }[]): string =>
  JSON.stringify({ keys: keys.map(({ jwk }) => jwk) })

type Json = Readonly<Record<string, unknown>>

/** JSON, or any text, as a part of a token. */
export const part = (content: Json | string | Buffer): string =>
  (typeof content === 'string' || Buffer.isBuffer(content)
    ? Buffer.from(content)
    : Buffer.from(JSON.stringify(content))
  ).toString('base64url')

/** A token (RFC 7515, section 7.1) with whatever is wanted in it; `header` overrides what the key says. */
export function signed(key: SigningKey, payload: Json | string, header: Json = {}): string {
  const input = `${part({ alg: key.algorithm, typ: 'JWT', kid: key.jwk['kid'], ...header })}.${part(payload)}`
  return `${input}.${SCHEMES[key.algorithm](Buffer.from(input), key.privateKey).toString('base64url')}`
}

/** The same with a secret: what RFC 8725, section 2.1, warns of is made with somebody's public key. */
export function signedWithSecret(secret: string | Buffer, payload: Json, header: Json): string {
  const input = `${part({ alg: 'HS256', typ: 'JWT', ...header })}.${part(payload)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}
