import assert from 'node:assert/strict'
import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { describe, it } from 'node:test'
import { validateConfig } from '../../test/envoy/index.ts'
import { usableKeys } from './usable-keys.ts'

const rsa = (modulusLength: number): JsonWebKey =>
  generateKeyPairSync('rsa', { modulusLength }).publicKey.export({ format: 'jwk' })
const ec = (namedCurve: string): JsonWebKey =>
  generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'jwk' })
const RSA = rsa(2_048)
const WEAK = rsa(1_024)
const P256 = ec('P-256')
const P384 = ec('P-384')
const P521 = ec('P-521')
const ED25519 = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
const PRIVATE = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
const EVEN_MODULUS = Buffer.concat([Buffer.from(RSA.n ?? '', 'base64url').subarray(0, -1), Buffer.from([0x10])])

const read = (...keys: unknown[]) => usableKeys(JSON.stringify({ keys }), 'test')

const TAKEN: Readonly<Record<string, JsonWebKey>> = {
  'an RSA key without more': RSA,
  'a large RSA key': rsa(4_096),
  'an RSA key with the exponent 3': generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    publicExponent: 3
  }).publicKey.export({ format: 'jwk' }),
  ...Object.fromEntries(
    ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map(alg => [`an RSA key for ${alg}`, { ...RSA, alg }])
  ),
  'a P-256 key': P256,
  'a P-256 key for ES256': { ...P256, alg: 'ES256', use: 'sig', kid: 'a' },
  'a P-384 key for ES384': { ...P384, alg: 'ES384' },
  'a P-521 key for ES512': { ...P521, alg: 'ES512' },
  'an Ed25519 key': ED25519,
  'an Ed25519 key for EdDSA': { ...ED25519, alg: 'EdDSA', key_ops: ['verify'] },
  'a key whose ID is empty': { ...P256, kid: '' }
}

const REFUSED: Readonly<Record<string, readonly [unknown, string]>> = {
  'a string': ['key', 'malformed'],
  null: [null, 'malformed'],
  'a list': [[], 'malformed'],
  'a key without a type': [{ n: RSA.n, e: RSA.e }, 'algorithm not supported'],
  'a type that nobody knows': [{ kty: 'junk' }, 'algorithm not supported'],
  'a symmetric key': [{ kty: 'oct', k: 'c2VjcmV0' }, 'symmetric'],
  'a private key': [PRIVATE, 'private'],
  'a key for encryption': [{ ...RSA, use: 'enc' }, 'not for signatures'],
  'a use that is no string': [{ ...RSA, use: ['sig'] }, 'not for signatures'],
  'a key that may only encrypt': [{ ...RSA, key_ops: ['encrypt'] }, 'not for signatures'],
  'a key of a curve that Envoy does not know': [ec('secp256k1'), 'algorithm not supported'],
  'an Ed448 key': [generateKeyPairSync('ed448').publicKey.export({ format: 'jwk' }), 'algorithm not supported'],
  'an X25519 key': [generateKeyPairSync('x25519').publicKey.export({ format: 'jwk' }), 'algorithm not supported'],
  'an RSA key for an EC algorithm': [{ ...RSA, alg: 'ES256' }, 'algorithm not supported'],
  'an RSA key for a symmetric algorithm': [{ ...RSA, alg: 'HS256' }, 'algorithm not supported'],
  'an RSA key for no algorithm': [{ ...RSA, alg: 'none' }, 'algorithm not supported'],
  'an EC key for another curve': [{ ...P256, alg: 'ES384' }, 'algorithm not supported'],
  'an Ed25519 key with the newer name of its algorithm': [{ ...ED25519, alg: 'Ed25519' }, 'algorithm not supported'],
  'an algorithm that is no string': [{ ...RSA, alg: 1 }, 'algorithm not supported'],
  'a key ID that is no string': [{ ...RSA, kid: 1 }, 'malformed'],
  'a key ID without end': [{ ...RSA, kid: 'a'.repeat(1_025) }, 'malformed'],
  'an RSA key that is too short': [WEAK, 'weak or unusual parameters'],
  'an RSA key that is too long': [
    { ...RSA, n: Buffer.alloc(2_048, 0xff).toString('base64url') },
    'weak or unusual parameters'
  ],
  'an RSA key with an even modulus': [{ ...RSA, n: EVEN_MODULUS.toString('base64url') }, 'weak or unusual parameters'],
  'an RSA key with the exponent 1': [{ ...RSA, e: 'AQ' }, 'weak or unusual parameters'],
  'an RSA key with an even exponent': [{ ...RSA, e: 'Ag' }, 'weak or unusual parameters'],
  'an RSA key with a huge exponent': [{ ...RSA, e: 'AQAAAAAB' }, 'weak or unusual parameters'],
  'an RSA key without a modulus': [{ kty: 'RSA', e: 'AQAB' }, 'malformed'],
  'a point that is not on its curve': [{ ...P256, x: P256.y }, 'malformed'],
  'a point of another curve': [{ ...P384, crv: 'P-256' }, 'malformed']
}

describe('a published key set', () => {
  for (const [title, key] of Object.entries(TAKEN))
    it(`keeps ${title}`, () => {
      const { use: _use, key_ops: _operations, ...members } = key
      assert.deepEqual(JSON.parse(read(key).jwks ?? ''), { keys: [members] })
    })

  for (const [title, [key, reason]] of Object.entries(REFUSED))
    it(`leaves out ${title}, and nothing else`, () => {
      assert.deepEqual(read(key), { jwks: undefined, count: 0, refused: { [reason]: 1 } })
      assert.equal(read(key, P256).jwks, read(P256).jwks)
    })

  it('is the same text in whatever order and spelling it is published', () => {
    const one = read({ ...RSA, kid: 'a', x5c: ['MII='], x5t: 'x' }, { ...P256, kid: 'b' }, ED25519)
    const other = read(
      ED25519,
      { kid: 'b', ...P256, use: 'sig' },
      { alg: undefined, kid: 'a', e: RSA.e, n: RSA.n, kty: 'RSA' }
    )
    assert.equal(one.jwks, other.jwks)
    assert.equal(one.count, 3)
  })

  it('holds no key twice, and two keys of one ID', () => {
    assert.equal(read(P256, P256).count, 1)
    assert.equal(read({ ...P256, kid: 'a' }, { ...RSA, kid: 'a' }).count, 2)
  })

  it('holds a hundred keys at most, the first', () => {
    const keys = Array.from({ length: 150 }, (_, index) => ({ ...P256, kid: String(index) }))
    const { count, refused, jwks = '' } = read(...keys)
    assert.deepEqual([count, refused], [100, { 'too many': 50 }])
    assert.ok(jwks.includes('"kid":"99"') && !jwks.includes('"kid":"100"'))
  })

  it('never shows a private key', () => {
    const { jwks = '' } = read(PRIVATE, P256)
    assert.ok(!jwks.includes(String(PRIVATE.d)) && !jwks.includes('"d"'))
  })

  for (const text of [
    '',
    '<html>',
    '[]',
    'null',
    '1',
    '"keys"',
    '{}',
    '{"keys":{}}',
    '{"keys":"a"}',
    '['.repeat(100_000)
  ])
    it(`is not ${JSON.stringify(text.slice(0, 20))}, which is not quoted`, () => {
      assert.throws(
        () => usableKeys(text, 'https://idp/jwks'),
        (error: Error & { code?: string }) =>
          error.code === 'ERR_KEYS_INVALID' &&
          error.message.startsWith('https://idp/jwks: expected a') &&
          !error.message.includes('html') &&
          error.cause === undefined
      )
    })

  it('is taken by Envoy, each of its keys by itself', async () => {
    const sets = Object.values(TAKEN).map(key => read(key).jwks ?? '')
    assert.equal(sets.length, 16)
    await validateConfig(envoyWith(sets))
    // The judge judges: what is left out because of Envoy is indeed refused.
    for (const key of [
      { ...RSA, alg: 'ES256' },
      { ...ED25519, alg: 'Ed25519' },
      { ...RSA, e: 'Ag' }
    ])
      await assert.rejects(validateConfig(envoyWith([JSON.stringify({ keys: [key] })])), /invalid local jwks/)
  })
})

const EXTENSION = 'type.googleapis.com/envoy.extensions.filters'

/** An Envoy with a provider for each key set. */
function envoyWith(sets: readonly string[]): unknown {
  const providers = Object.fromEntries(
    sets.map((text, index) => [`p${index}`, { issuer: `https://issuer-${index}`, local_jwks: { inline_string: text } }])
  )
  const jwt = { '@type': `${EXTENSION}.http.jwt_authn.v3.JwtAuthentication`, providers }
  const manager = {
    '@type': `${EXTENSION}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'test',
    route_config: { name: 'none' },
    http_filters: [
      { name: 'jwt', typed_config: jwt },
      { name: 'router', typed_config: { '@type': `${EXTENSION}.http.router.v3.Router` } }
    ]
  }
  const listener = {
    name: 'test',
    address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
    filter_chains: [{ filters: [{ name: 'manager', typed_config: manager }] }]
  }
  return { static_resources: { listeners: [listener] } }
}
