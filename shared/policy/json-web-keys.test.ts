import assert from 'node:assert/strict'
import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import { describe, it } from 'node:test'
import { readKeySet } from './json-web-keys.ts'

const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })
const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength })
const jwk = (pair: { publicKey: import('node:crypto').KeyObject }): JsonWebKey =>
  pair.publicKey.export({ format: 'jwk' })

const P256 = ec('P-256')
const RSA = rsa(2_048)
const ED = generateKeyPairSync('ed25519')
const read = (...keys: unknown[]) => readKeySet(JSON.stringify({ keys }))
const usable = (...keys: unknown[]): readonly JsonWebKey[] => {
  const reading = read(...keys)
  assert.ok(reading.ok, 'message' in reading ? reading.message : '')
  return JSON.parse(reading.jwks).keys
}

describe('a set of keys', () => {
  for (const [what, key] of Object.entries({
    'RSA with 2048 bits': jwk(RSA),
    'P-256': jwk(P256),
    'P-384': jwk(ec('P-384')),
    'P-521': jwk(ec('P-521')),
    Ed25519: jwk(ED)
  }))
    it(`may hold ${what}`, () => assert.deepEqual(usable(key), [key]))

  it('keeps what verifies a signature and nothing else', () => {
    const key = { ...jwk(P256), kid: 'a', alg: 'ES256', use: 'sig', key_ops: ['verify'], x5c: ['x'], other: 1 }
    assert.deepEqual(usable(key), [{ kid: 'a', alg: 'ES256', ...jwk(P256) }])
  })

  it('is the same text whatever the order of members and blanks', () => {
    const { kty, crv, x, y } = jwk(P256)
    const [one, other] = [readKeySet(JSON.stringify({ keys: [{ y, x, crv, kty }] }, null, 2)), read({ kty, crv, x, y })]
    assert.deepEqual(one, other)
  })

  it('loses what is not for signatures or not understood', () => {
    const ignored = [
      { ...jwk(RSA), use: 'enc' },
      { ...jwk(RSA), key_ops: ['encrypt'] },
      { ...jwk(RSA), alg: 'RSA-OAEP' },
      { ...jwk(P256), alg: 'ES384' },
      { ...jwk(ec('secp256k1')) },
      { kty: 'OKP', crv: 'X25519', x: 'AAAA' },
      { kty: 'new', anything: 1 }
    ]
    assert.deepEqual(usable(...ignored, jwk(ED)), [jwk(ED)])
    const reading = read(...ignored)
    assert.match(reading.ok ? '' : reading.message, /^expected at least one public key for signatures/)
  })
})

describe('a set of keys is refused', () => {
  const { d: _, ...publicOnly } = ED.privateKey.export({ format: 'jwk' })
  assert.deepEqual(publicOnly, jwk(ED))
  const refusals: Readonly<Record<string, readonly [string, RegExp]>> = {
    'when it is empty text': ['', /no JSON/],
    'when it is no JSON': ['keys', /no JSON/],
    'when it is a list': ['[]', /an object with the list "keys"/],
    'when it is null': ['null', /an object with the list "keys"/],
    'when it is a single key': [JSON.stringify(jwk(ED)), /an object with the list "keys"/],
    'when it holds none': ['{"keys":[]}', /at least one public key/],
    'when a key is text': ['{"keys":["x"]}', /^keys\[0\]: expected a JSON Web Key/],
    'when a key has no type': ['{"keys":[{}]}', /^keys\[0\]: expected the type/],
    'when a key is symmetric': ['{"keys":[{"kty":"oct","k":"AAAA"}]}', /^keys\[0\]: is a symmetric key/],
    'when a key is private': [
      JSON.stringify({ keys: [jwk(RSA), ED.privateKey.export({ format: 'jwk' })] }),
      /^keys\[1\]: is a private key \(member "d"\): .* replace it/
    ],
    'when a key is private and not even for signatures': [
      JSON.stringify({ keys: [jwk(ED), { ...RSA.privateKey.export({ format: 'jwk' }), use: 'enc' }] }),
      /^keys\[1\]: is a private key/
    ],
    'when a key of RSA is short': [
      JSON.stringify({ keys: [jwk(rsa(1_024))] }),
      /at least 2048 bits of an RSA key, got 1024/
    ],
    'when a point is on no curve': [
      JSON.stringify({ keys: [{ ...jwk(P256), y: jwk(P256)['x'] }] }),
      /^keys\[0\]: is no public key of the type EC$/
    ],
    'when half of a key is missing': ['{"keys":[{"kty":"RSA","e":"AQAB"}]}', /is no public key of the type RSA$/],
    'when a name of a key is a number': [JSON.stringify({ keys: [{ ...jwk(ED), kid: 1 }] }), /expected text in "kid"/],
    'when it is very long': [' '.repeat(300_000), /at most 262144 characters, got 300000/],
    'when it holds very many': [JSON.stringify({ keys: Array(101).fill({}) }), /at most 100 keys, got 101/]
  }
  for (const [what, [text, expected]] of Object.entries(refusals))
    it(what, () => {
      const reading = readKeySet(text)
      assert.match(reading.ok ? 'it is accepted' : reading.message, expected)
    })
})
