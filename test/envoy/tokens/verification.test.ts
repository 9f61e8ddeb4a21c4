// Which tokens are good: signatures, times, issuers, audiences, and what attackers make of them.

import assert from 'node:assert/strict'
import { createCipheriv, randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import {
  type Algorithm,
  keySet,
  newSigningKey,
  part,
  type SigningKey,
  signed,
  signedWithSecret
} from '../../oidc/index.ts'
import { type Row, testRows, testRowsAsPeer } from './table.ts'
import { type Checks, startTokenPod, type TokenPod } from './token-pod.ts'

const ISSUER = 'https://issuer.test'
const ALGORITHMS: readonly Algorithm[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA'
]
const KEYS = Object.fromEntries(ALGORITHMS.map(name => [name, newSigningKey(name)])) as Record<Algorithm, SigningKey>
const [TWIN, OTHER_TWIN] = [newSigningKey('ES256', 'twin'), newSigningKey('ES256', 'twin')]
const NAMELESS = withoutKid(newSigningKey('ES256'))
const STRANGER = newSigningKey('ES256')
const ES256 = KEYS.ES256

function withoutKid({ jwk: { kid: _, ...jwk }, ...key }: SigningKey): SigningKey {
  return { ...key, jwk }
}

const CHECKS: Checks = {
  providers: [
    { name: 'strict', issuer: ISSUER, audiences: ['web', 'shop'], keySet: 'all', requireExpiration: true },
    { name: 'lax', issuer: ISSUER, audiences: [], keySet: 'all' },
    { name: 'nameless', issuer: ISSUER, keySet: 'nameless' },
    { name: 'unknown', issuer: ISSUER, keySet: 'not heard of' },
    { name: 'none', issuer: ISSUER, keySet: 'none' }
  ],
  rules: ['strict', 'lax', 'nameless', 'unknown', 'none'].map(name => ({
    includePaths: [`/${name}`],
    providers: [name],
    required: true
  }))
}
const KEY_SETS = {
  all: keySet(...Object.values(KEYS), TWIN, OTHER_TWIN),
  nameless: keySet(NAMELESS),
  none: ''
}

/** Of now, in seconds. */
const at = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds
type Claims = Readonly<Record<string, unknown>>
/** `undefined` leaves a claim out. */
const claims = (changes: Claims = {}): Claims => ({
  iss: ISSUER,
  sub: 'ada',
  aud: 'web',
  iat: at(-10),
  exp: at(600),
  ...changes
})
const to = (path: string, token: () => string) => () => ({ target: path, token: token() })
const strict = (token: () => string) => to('/strict', token)
const lax = (token: () => string) => to('/lax', token)
const withClaims = (changes: () => Claims) => strict(() => signed(ES256, claims(changes())))
const withHeader = (header: Claims, key = ES256) => strict(() => signed(key, claims(), header))

/** Another part of a token, `index` from the left. */
function replaced(token: string, index: number, change: (before: string) => string): string {
  const parts = token.split('.')
  parts[index] = change(parts[index] ?? '')
  return parts.join('.')
}
const good = (): string => signed(ES256, claims())

const GOOD: readonly Row[] = ALGORITHMS.map(algorithm => ({
  says: `a token that is signed with ${algorithm}`,
  source: algorithm === 'EdDSA' ? 'RFC 8037, section 3.1' : 'RFC 7518, section 3.1',
  request: strict(() => signed(KEYS[algorithm], claims())),
  status: 200
}))

const TIMES: readonly Row[] = [
  {
    says: 'a token that expired an hour ago',
    source: 'RFC 7519, section 4.1.4',
    request: withClaims(() => ({ exp: at(-3600) })),
    status: 401,
    reason: /^Jwt is expired$/
  },
  {
    says: 'one that expired half a minute ago: clocks differ',
    source: 'RFC 7519, section 4.1.4',
    request: withClaims(() => ({ exp: at(-30) })),
    status: 200
  },
  {
    says: 'one that expired before the minute that clocks may differ by',
    source: 'RFC 7519, section 4.1.4',
    request: withClaims(() => ({ exp: at(-120) })),
    status: 401,
    reason: /^Jwt is expired$/
  },
  {
    says: 'one that is not valid before the next hour',
    source: 'RFC 7519, section 4.1.5',
    request: withClaims(() => ({ nbf: at(3600) })),
    status: 401,
    reason: /^Jwt not yet valid$/
  },
  {
    says: 'one that will be valid in half a minute: clocks differ',
    source: 'RFC 7519, section 4.1.5',
    request: withClaims(() => ({ nbf: at(30) })),
    status: 200
  },
  {
    says: 'one that never expires, where expiration is required',
    source: 'RFC 9068, section 2.2',
    request: withClaims(() => ({ exp: undefined })),
    status: 401
  },
  {
    says: 'one that never expires, where that is allowed',
    source: 'RFC 7519, section 4.1.4',
    request: lax(() => signed(ES256, claims({ exp: undefined }))),
    status: 200
  },
  {
    says: 'one whose expiration is text',
    source: 'RFC 7519, section 2, NumericDate',
    request: withClaims(() => ({ exp: 'tomorrow' })),
    status: 401
  },
  {
    says: 'one whose expiration is negative',
    source: 'RFC 7519, section 4.1.4',
    request: withClaims(() => ({ exp: -1 })),
    status: 401
  }
]

const WHO: readonly Row[] = [
  { says: 'no token at all', request: () => ({ target: '/strict' }), status: 401, reason: /^Jwt is missing$/ },
  {
    says: 'a token of another issuer',
    source: 'RFC 8725, section 3.8',
    request: withClaims(() => ({ iss: 'https://other.test' })),
    status: 401,
    reason: /^Jwt issuer is not configured$/
  },
  {
    says: 'one of the issuer with a slash at its end',
    source: 'RFC 7519, section 2, StringOrURI: compared as it is',
    request: withClaims(() => ({ iss: `${ISSUER}/` })),
    status: 401
  },
  {
    says: 'one of the issuer in capitals',
    source: 'RFC 7519, section 4.1.1: case-sensitive',
    request: withClaims(() => ({ iss: ISSUER.toUpperCase() })),
    status: 401
  },
  {
    says: 'one without an issuer',
    source: 'RFC 8725, section 3.8',
    request: withClaims(() => ({ iss: undefined })),
    status: 401
  },
  {
    says: 'one whose issuer is a list',
    source: 'RFC 7519, section 4.1.1',
    request: withClaims(() => ({ iss: [ISSUER] })),
    status: 401
  },
  {
    says: 'a token for somebody else',
    source: 'RFC 7519, section 4.1.3',
    request: withClaims(() => ({ aud: 'bank' })),
    status: 401,
    reason: /^Audiences in Jwt are not allowed$/
  },
  {
    says: 'one for several, of which the application is one',
    source: 'RFC 7519, section 4.1.3',
    request: withClaims(() => ({ aud: ['bank', 'shop'] })),
    status: 200
  },
  {
    says: 'one for several others',
    source: 'RFC 7519, section 4.1.3',
    request: withClaims(() => ({ aud: ['bank', 'post'] })),
    status: 401,
    reason: /^Audiences/
  },
  {
    says: 'one for an audience of which the expected one is only the beginning',
    source: 'RFC 8725, section 3.9',
    request: withClaims(() => ({ aud: 'webmail' })),
    status: 401,
    reason: /^Audiences/
  },
  {
    says: 'one for nobody, where an audience is expected',
    source: 'RFC 8725, section 3.9',
    request: withClaims(() => ({ aud: undefined })),
    status: 401,
    reason: /^Audiences/
  },
  {
    says: 'one for an empty list, where an audience is expected',
    source: 'RFC 8725, section 3.9',
    request: withClaims(() => ({ aud: [] })),
    status: 401,
    reason: /^Audiences/
  },
  {
    says: 'one for nobody, where none is expected',
    source: 'RFC 7519, section 4.1.3',
    request: lax(() => signed(ES256, claims({ aud: undefined }))),
    status: 200
  },
  {
    says: 'one of nobody: who needs a subject, asks for it',
    source: 'RFC 7519, section 4.1.2: optional',
    request: withClaims(() => ({ sub: undefined })),
    status: 200
  },
  {
    says: 'one whose subject is a number',
    source: 'RFC 7519, section 4.1.2',
    request: withClaims(() => ({ sub: 7 })),
    status: 401
  }
]

const SIGNATURES: readonly Row[] = [
  {
    says: 'a payload that was changed after signing',
    source: 'RFC 7515, section 5.2',
    request: strict(() => replaced(good(), 1, () => part(claims({ sub: 'root' })))),
    status: 401,
    reason: /^Jwt verification fails$/
  },
  {
    says: 'a header that was changed after signing',
    source: 'RFC 7515, section 5.2',
    request: strict(() => replaced(good(), 0, () => part({ alg: 'ES256', kid: 'ES256', typ: 'x' }))),
    status: 401,
    reason: /^Jwt verification fails$/
  },
  {
    says: 'a signature that was changed',
    source: 'RFC 7515, section 5.2',
    request: strict(() => replaced(good(), 2, text => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`)),
    status: 401,
    reason: /^Jwt verification fails$/
  },
  {
    says: 'a signature that was cut short',
    source: 'RFC 7518, section 3.4',
    request: strict(() => replaced(good(), 2, text => text.slice(0, 40))),
    status: 401
  },
  {
    says: 'a signature of nothing but zeros',
    source: 'RFC 7518, section 3.4; CVE-2022-21449',
    request: strict(() => replaced(good(), 2, () => Buffer.alloc(64).toString('base64url'))),
    status: 401,
    reason: /^Jwt verification fails$/
  },
  {
    says: 'an ECDSA signature in ASN.1',
    source: 'RFC 7518, section 3.4: the two numbers only',
    request: strict(() => replaced(good(), 2, text => asn1(Buffer.from(text, 'base64url')).toString('base64url'))),
    status: 401,
    reason: /^Jwt verification fails$/
  },
  {
    says: 'a signature that was taken away',
    source: 'RFC 8725, section 2.1',
    request: strict(() => replaced(good(), 2, () => '')),
    status: 401
  },
  {
    says: 'a signature that was taken away with its dot',
    source: 'RFC 7515, section 7.1',
    request: strict(() => good().split('.').slice(0, 2).join('.')),
    status: 401,
    reason: /two dots/
  },
  ...['none', 'None', 'NONE', 'nOnE', ''].map(alg => ({
    says: `an unsecured token with the algorithm ${JSON.stringify(alg)}`,
    source: 'RFC 8725, sections 2.1 and 3.2',
    request: strict(() => `${part({ alg, typ: 'JWT', kid: 'ES256' })}.${part(claims())}.`),
    status: 401
  })),
  ...['none', 'None', 'es256', 'ES256 ', 'HS256', 'ES256K', 'XX'].map(alg => ({
    says: `a good signature, said to be of the algorithm ${JSON.stringify(alg)}`,
    source: 'RFC 7515, section 4.1.1: case-sensitive; RFC 8725, section 3.1',
    request: withHeader({ alg }),
    status: 401
  })),
  {
    says: 'a token that does not say its algorithm',
    source: 'RFC 7515, section 4.1.1: it must',
    request: withHeader({ alg: undefined }),
    status: 401
  },
  ...[
    ['text of the public key', (key: SigningKey) => key.publicKey.export({ type: 'spki', format: 'pem' })],
    ['bytes of the public key', (key: SigningKey) => key.publicKey.export({ type: 'spki', format: 'der' })],
    ['public key as JSON', (key: SigningKey) => JSON.stringify(key.jwk)],
    ['modulus of the public key', (key: SigningKey) => Buffer.from(String(key.jwk['n']), 'base64url')]
  ].map(([what, secretOf]) => ({
    says: `one that is signed with the ${String(what)} as a secret`,
    source: 'RFC 8725, sections 2.1 and 3.1',
    request: strict(() =>
      signedWithSecret((secretOf as (key: SigningKey) => string | Buffer)(KEYS.RS256), claims(), { kid: 'RS256' })
    ),
    status: 401
  })),
  {
    says: 'an algorithm that is not the one of the key',
    source: 'RFC 7517, section 4.4; RFC 8725, section 3.1',
    request: strict(() => signed({ ...KEYS.RS256, algorithm: 'RS512' }, claims())),
    status: 401
  },
  {
    says: 'a token that is signed by somebody else who says that it is the key',
    source: 'RFC 7515, section 4.1.4',
    request: strict(() => signed(STRANGER, claims())),
    status: 401,
    reason: /^Jwt verification fails$/
  }
]

function asn1(signature: Buffer): Buffer {
  const integer = (bytes: Buffer): Buffer => {
    const body = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes
    return Buffer.concat([Buffer.of(2, body.length), body])
  }
  const both = Buffer.concat([integer(signature.subarray(0, 32)), integer(signature.subarray(32))])
  return Buffer.concat([Buffer.of(0x30, both.length), both])
}

const CHOICE_OF_KEY: readonly Row[] = [
  {
    says: 'a key ID that there is not',
    source: 'RFC 7515, section 4.1.4',
    request: withHeader({ kid: 'gone' }),
    status: 401,
    reason: /^Jwks doesn't have key to match kid/
  },
  {
    says: 'no key ID: every key of the algorithm is tried',
    source: 'RFC 7515, section 4.1.4: optional',
    request: withHeader({ kid: undefined }),
    status: 200
  },
  {
    says: 'a key ID that is a number',
    source: 'RFC 7515, section 4.1.4: a string',
    request: withHeader({ kid: 7 }),
    status: 401
  },
  {
    says: 'a key without an ID, and a token without one',
    source: 'RFC 7517, section 4.5: optional',
    request: to('/nameless', () => signed(NAMELESS, claims(), { kid: undefined })),
    status: 200
  },
  {
    says: 'the first of two keys of one ID',
    source: 'RFC 7517, section 4.5: only should be distinct',
    request: strict(() => signed(TWIN, claims())),
    status: 200
  },
  {
    says: 'the second of two keys of one ID',
    source: 'RFC 7517, section 4.5: only should be distinct',
    request: strict(() => signed(OTHER_TWIN, claims())),
    status: 200
  },
  {
    says: 'somebody else by that ID',
    source: 'RFC 7517, section 4.5',
    request: strict(() => signed(newSigningKey('ES256', 'twin'), claims())),
    status: 401,
    reason: /^Jwt verification fails$/
  },
  {
    says: 'a good token, while its keys were not heard of',
    request: to('/unknown', good),
    status: 401,
    reason: /^Jwks/
  },
  { says: 'a good token, while there are no keys', request: to('/none', good), status: 401, reason: /^Jwks/ },
  ...(
    [
      ['jwk', STRANGER.jwk, '4.1.3'],
      ['jku', 'https://stranger.test/keys', '4.1.2'],
      ['x5u', 'https://stranger.test/chain', '4.1.5'],
      ['x5c', ['MIIB'], '4.1.6']
    ] as const
  ).map(([name, value, section]) => ({
    says: `a token of somebody who brings the key along, in ${name}`,
    source: `RFC 7515, section ${section}; RFC 8725, section 3.10`,
    request: withHeader({ [name]: value, kid: 'ES256' }, STRANGER),
    status: 401,
    reason: /^Jwt verification fails$/
  })),
  {
    says: 'a good token that names a place of keys, which nobody looks at',
    source: 'RFC 8725, section 3.10',
    request: withHeader({ jku: 'http://169.254.169.254/latest' }),
    status: 200
  },
  {
    says: 'one with an extension that must be understood',
    source: 'RFC 7515, section 4.1.11',
    request: withHeader({ crit: ['urn:x'], 'urn:x': true }),
    status: 401,
    reason: /^Jwt has extensions that must be understood/
  },
  {
    says: 'one whose payload is said to be unencoded',
    source: 'RFC 7797, section 6',
    request: withHeader({ crit: ['b64'], b64: false }),
    status: 401
  },
  {
    says: 'one whose list of such extensions is empty, which it must not be',
    source: 'RFC 7515, section 4.1.11',
    request: withHeader({ crit: [] }),
    status: 401
  },
  {
    says: 'one with an extension that need not be understood',
    source: 'RFC 7515, section 4.2',
    request: withHeader({ 'urn:x': true }),
    status: 200
  },
  {
    says: 'an access token by its type',
    source: 'RFC 9068, section 2.1',
    request: withHeader({ typ: 'at+jwt' }),
    status: 200
  }
]

/** A JWE (RFC 7516, section 7.1): encrypted, and signed by nobody. */
function encrypted(): string {
  const [key, iv, header] = [randomBytes(32), randomBytes(12), part({ alg: 'dir', enc: 'A256GCM', kid: 'ES256' })]
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  cipher.setAAD(Buffer.from(header))
  const text = Buffer.concat([cipher.update(JSON.stringify(claims())), cipher.final()])
  return [header, '', part(iv), part(text), part(cipher.getAuthTag())].join('.')
}

const FORMS: readonly Row[] = [
  { says: 'an encrypted token', source: 'RFC 7516, section 9: five parts', request: strict(encrypted), status: 401 },
  {
    says: 'a token in the JSON serialization',
    source: 'RFC 7519, section 1: compact only',
    request: strict(() => {
      const [header, payload, signature] = good().split('.')
      return JSON.stringify({ payload, protected: header, signature })
    }),
    status: 401
  },
  {
    says: 'no word after Bearer',
    request: () => ({ target: '/strict', headers: [['authorization', 'Bearer']] }),
    status: 401
  },
  { says: 'two dots and nothing else', source: 'RFC 7515, section 5.2', request: strict(() => '..'), status: 401 },
  {
    says: 'four parts',
    source: 'RFC 7515, section 7.1',
    request: strict(() => `${good()}.AAAA`),
    status: 401,
    reason: /two dots/
  },
  {
    says: 'a header that is not base64url',
    source: 'RFC 7515, section 2',
    request: strict(() => replaced(good(), 0, text => `+${text.slice(1)}`)),
    status: 401
  },
  {
    says: 'a payload that is not base64url',
    source: 'RFC 7515, section 2',
    request: strict(() => replaced(good(), 1, text => `${text}!`)),
    status: 401
  },
  {
    says: 'a signature that is padded, which is more than has to be taken, and means nothing else',
    source: 'RFC 7515, section 2: without padding',
    request: strict(() => replaced(good(), 2, text => `${text}==`)),
    status: 200
  },
  {
    says: 'a header that is no JSON',
    source: 'RFC 7515, section 4',
    request: strict(() => replaced(good(), 0, () => part('{'))),
    status: 401
  },
  {
    says: 'a header that is a list',
    source: 'RFC 7515, section 4',
    request: strict(() => replaced(good(), 0, () => part('[1]'))),
    status: 401
  },
  {
    says: 'a payload that is no JSON, well signed',
    source: 'RFC 7519, section 7.2',
    request: strict(() => signed(ES256, 'hello')),
    status: 401
  },
  {
    says: 'a payload that is a list, well signed',
    source: 'RFC 7519, section 7.2',
    request: strict(() => signed(ES256, '["https://issuer.test"]')),
    status: 401
  },
  {
    says: 'a payload that is not UTF-8',
    source: 'RFC 7519, section 7.2',
    request: strict(() => replaced(good(), 1, () => part(Buffer.from([0x7b, 0xff, 0xfe, 0x7d])))),
    status: 401
  },
  {
    says: 'brackets within brackets, ten thousand deep',
    source: 'RFC 8259, section 9',
    request: strict(() => replaced(good(), 1, () => part('['.repeat(10_000)))),
    status: 401
  },
  {
    says: 'a token within a token',
    source: 'RFC 7519, section 5.2',
    request: strict(() => signed(ES256, good(), { cty: 'JWT' })),
    status: 401
  },
  {
    says: 'a token that is larger than all headers may be',
    source: 'RFC 6585, section 5',
    request: strict(() => signed(ES256, claims({ x: 'y'.repeat(60_000) }))),
    status: 431
  },
  {
    says: 'a large token',
    request: strict(() => signed(ES256, claims({ x: 'y'.repeat(20_000) }))),
    status: 200
  }
]

describe('a token', () => {
  let pod: TokenPod
  before(async () => {
    pod = await startTokenPod('127.83.61')
    await pod.apply(CHECKS, KEY_SETS)
  })
  after(() => pod?.stop())

  const tables = { GOOD, TIMES, WHO, SIGNATURES, CHOICE_OF_KEY, FORMS }
  for (const [name, rows] of Object.entries(tables))
    describe(name.toLowerCase().replaceAll('_', ' '), () => testRows(rows, () => pod))

  describe('over mutual TLS', () =>
    testRowsAsPeer([...GOOD, ...TIMES, ...WHO.slice(0, 3), ...SIGNATURES.slice(0, 3)], () => pod))

  it('is judged by as many rows as there should be', () => {
    assert.ok(Object.values(tables).flat().length >= 90)
  })
})
