import assert from 'node:assert/strict'
import { createHmac, sign as createSign, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, it } from 'node:test'
import { CompactSign, exportJWK, type JSONWebKeySet, type JWTPayload, SignJWT } from 'jose'
import { CountersignError } from '../../shared/errors/index.ts'
import { Sensitive } from '../../shared/log/index.ts'
import { type TokenKeys, verifyPodToken } from './index.ts'

const now = Date.UTC(2026, 0, 1)
const seconds = now / 1_000
const ISSUER = 'https://kubernetes.default.svc.cluster.local'
const options = { issuers: [ISSUER, 'https://former.test'] }

const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' })
const ec521 = generateKeyPairSync('ec', { namedCurve: 'secp521r1' })
const ed = generateKeyPairSync('ed25519')
const other = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })

const jwk = async (key: KeyObject, kid: string): Promise<JSONWebKeySet['keys'][number]> => ({
  ...(await exportJWK(key)),
  kid,
  use: 'sig'
})
const keySet: JSONWebKeySet = {
  keys: [
    await jwk(ec.publicKey, 'ec-1'),
    await jwk(rsa.publicKey, 'rsa-1'),
    await jwk(ec384.publicKey, 'ec-384'),
    await jwk(ec521.publicKey, 'ec-521'),
    await jwk(ed.publicKey, 'ed-1')
  ]
}
const keys: TokenKeys = { current: () => keySet, refresh: async () => {} }

/** As an API server of 1.33 or later makes them. */
const kubernetes = {
  namespace: 'shop',
  node: { name: 'node-1', uid: 'uid-node' },
  pod: { name: 'cart-0', uid: 'uid-1' },
  serviceaccount: { name: 'cart', uid: 'uid-sa' }
}
const payload = {
  aud: ['countersign-ca'],
  exp: seconds + 3_600,
  iat: seconds,
  iss: ISSUER,
  jti: 'an-id',
  nbf: seconds,
  sub: 'system:serviceaccount:shop:cart',
  'kubernetes.io': kubernetes
}

interface Signing {
  readonly key?: KeyObject
  readonly kid?: string
  readonly alg?: string
}

function sign(claims: JWTPayload, { key = ec.privateKey, kid = 'ec-1', alg = 'ES256' }: Signing = {}): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg, kid }).sign(key)
}

const base64 = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const without = (name: keyof typeof payload): JWTPayload => {
  const { [name]: _, ...rest } = payload
  return rest
}
const withKubernetes = (change: object): JWTPayload => ({ ...payload, 'kubernetes.io': { ...kubernetes, ...change } })

async function reasonFor(token: string, trusted = keys, at = now): Promise<unknown> {
  try {
    await verifyPodToken(new Sensitive(token), trusted, options, at)
  } catch (error) {
    assert.ok(error instanceof CountersignError, String(error))
    assert.equal(error.code, 'ERR_TOKEN_REFUSED')
    return error.facts['reason']
  }
  return 'none'
}

describe('verifying pod tokens', () => {
  const expected = {
    namespace: 'shop',
    serviceAccount: 'cart',
    podName: 'cart-0',
    podUid: 'uid-1',
    node: 'node-1'
  }

  for (const [what, signing] of Object.entries({
    ES256: {},
    RS256: { key: rsa.privateKey, kid: 'rsa-1', alg: 'RS256' },
    ES384: { key: ec384.privateKey, kid: 'ec-384', alg: 'ES384' },
    ES512: { key: ec521.privateKey, kid: 'ec-521', alg: 'ES512' }
  }))
    it(`a token signed with ${what} says which pod it is for`, async () => {
      const token = await sign(payload, signing)
      assert.deepEqual(await verifyPodToken(new Sensitive(token), keys, options, now), expected)
    })

  it('each of several issuers is accepted', async () => {
    assert.equal(await reasonFor(await sign({ ...payload, iss: 'https://former.test' })), 'none')
  })

  it('clocks may differ by half a minute', async () => {
    assert.equal(await reasonFor(await sign({ ...payload, nbf: seconds + 29 })), 'none')
    assert.equal(await reasonFor(await sign({ ...payload, exp: seconds - 29 })), 'none')
  })

  const es256 = { alg: 'ES256', kid: 'ec-1' }
  const refusals: Record<string, [string, () => string | Promise<string>]> = {
    'no token': ['missing', () => ''],
    'a token that expired': ['expired', () => sign({ ...payload, exp: seconds - 31 })],
    'a token that is not valid yet': ['not_yet_valid', () => sign({ ...payload, nbf: seconds + 31 })],
    'a token of another issuer': ['issuer', () => sign({ ...payload, iss: 'https://elsewhere.test' })],
    'a token for another audience': ['audience', () => sign({ ...payload, aud: ['vault'] })],
    'a token for the API server': ['audience', () => sign({ ...payload, aud: [ISSUER] })],
    'a token for an additional audience': ['audience', () => sign({ ...payload, aud: ['countersign-ca', 'vault'] })],
    'a token for our audience twice': [
      'audience',
      () => sign({ ...payload, aud: ['countersign-ca', 'countersign-ca'] })
    ],
    'a token whose audience is not a list': ['audience', () => sign({ ...payload, aud: 'countersign-ca' })],
    'a token that is not bound to a pod': ['not_pod_bound', () => sign(withKubernetes({ pod: undefined }))],
    'a token bound to a Secret': [
      'not_pod_bound',
      () => sign(withKubernetes({ pod: undefined, secret: { name: 'x', uid: 'y' } }))
    ],
    'a token that names no node': ['no_node', () => sign(withKubernetes({ node: undefined }))],
    'a token whose pod has no UID': ['claims', () => sign(withKubernetes({ pod: { name: 'cart-0' } }))],
    'a token whose pod has an empty UID': ['claims', () => sign(withKubernetes({ pod: { name: 'cart-0', uid: '' } }))],
    'a token whose pod UID is a number': ['claims', () => sign(withKubernetes({ pod: { name: 'cart-0', uid: 1 } }))],
    'a token without the claims of Kubernetes': ['claims', () => sign(without('kubernetes.io'))],
    'a token whose subject is another account': [
      'subject',
      () => sign({ ...payload, sub: 'system:serviceaccount:shop:admin' })
    ],
    'a token whose subject is a user': ['subject', () => sign({ ...payload, sub: 'admin' })],
    'a token without expiry': ['claims', () => sign(without('exp'))],
    'a token without beginning': ['claims', () => sign(without('nbf'))],
    'a token without issuer': ['claims', () => sign(without('iss'))],
    'a token without subject': ['claims', () => sign(without('sub'))],
    'a token without audience': ['claims', () => sign(without('aud'))],
    'a forged token: another key under a known ID': ['signature', () => sign(payload, { key: other.privateKey })],
    'a forged token: claims changed after signing': [
      'signature',
      async () => {
        const [header, , signature] = (await sign(payload)).split('.')
        return `${header}.${base64(withKubernetes({ pod: { name: 'cart-0', uid: 'uid-2' } }))}.${signature}`
      }
    ],
    'a forged token: no signature': ['signature', () => `${base64(es256)}.${base64(payload)}.`],
    'a forged token: algorithm none': ['algorithm', () => `${base64({ alg: 'none' })}.${base64(payload)}.`],
    'a forged token: the public key as a shared secret': [
      'algorithm',
      () => {
        const signed = `${base64({ alg: 'HS256', kid: 'rsa-1' })}.${base64(payload)}`
        const secret = rsa.publicKey.export({ type: 'spki', format: 'pem' })
        return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
      }
    ],
    'a token signed with RSASSA-PSS': [
      'algorithm',
      () => sign(payload, { key: rsa.privateKey, kid: 'rsa-1', alg: 'PS256' })
    ],
    'a token signed with Ed25519': [
      'algorithm',
      () => sign(payload, { key: ed.privateKey, kid: 'ed-1', alg: 'EdDSA' })
    ],
    ...Object.fromEntries(
      ['RS384', 'RS512'].map(alg => [
        `a token signed with ${alg}`,
        ['algorithm', () => sign(payload, { key: rsa.privateKey, kid: 'rsa-1', alg })] as const
      ])
    ),
    'a token signed with an unknown key': ['unknown_key', () => sign(payload, { key: other.privateKey, kid: 'ec-2' })],
    'a token whose key ID is that of a key of another type': [
      'unknown_key',
      () => sign(payload, { key: rsa.privateKey, kid: 'ec-1', alg: 'RS256' })
    ],
    'a token with a critical header that nobody knows': [
      'malformed',
      () =>
        new SignJWT(payload)
          .setProtectedHeader({ ...es256, crit: ['x'], x: 1 })
          .sign(ec.privateKey, { crit: { x: false } })
    ],
    'something that is no token': ['malformed', () => 'hello'],
    'a token of five parts': ['malformed', () => 'a.b.c.d.e'],
    'a token whose claims are no object': [
      'malformed',
      () => new CompactSign(Buffer.from('[1]')).setProtectedHeader(es256).sign(ec.privateKey)
    ],
    'a token of more than 16 KiB': ['malformed', () => sign({ ...payload, padding: 'x'.repeat(16_384) })]
  }
  for (const [what, [reason, make]] of Object.entries(refusals))
    it(`${what} is refused: ${reason}`, async () => {
      assert.equal(await reasonFor(await make()), reason)
    })

  // Every key with every algorithm, by its own ID: only the one that it is for finds it.
  const OWN: Readonly<Record<string, string>> = {
    'ec-1': 'ES256',
    'rsa-1': 'RS256',
    'ec-384': 'ES384',
    'ec-521': 'ES512'
  }
  for (const kid of Object.keys(OWN))
    for (const alg of Object.values(OWN).filter(name => name !== OWN[kid]))
      it(`the key ${kid} verifies no token that says ${alg}`, async () => {
        const signer = Object.entries(OWN).find(([, own]) => own === alg)?.[0]
        const keyOf = { 'ec-1': ec, 'rsa-1': rsa, 'ec-384': ec384, 'ec-521': ec521 }[signer ?? '']
        assert.ok(keyOf)
        assert.equal(await reasonFor(await sign(payload, { key: keyOf.privateKey, kid, alg })), 'unknown_key')
      })

  for (const [kid, { privateKey }] of Object.entries({ 'ec-1': ec, 'ec-384': ec384, 'ec-521': ec521 }))
    for (const alg of ['ES256', 'ES384', 'ES512'].filter(name => name !== OWN[kid]))
      it(`a signature by ${kid} is none of ${alg}`, async () => {
        const input = `${base64({ alg, kid })}.${base64(payload)}`
        const hash = `sha${alg.slice(2)}`
        const signature = createSign(hash, Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' })
        assert.equal(await reasonFor(`${input}.${signature.toString('base64url')}`), 'unknown_key')
        assert.notEqual(
          await reasonFor(`${base64({ alg })}.${base64(payload)}.${signature.toString('base64url')}`),
          'none'
        )
      })

  it('a key that names another algorithm, or another use, verifies no token', async () => {
    for (const change of [{ alg: 'ES512' }, { use: 'enc' }, { key_ops: ['sign'] }]) {
      const changed = { keys: [{ ...(await jwk(ec384.publicKey, 'ec-384')), ...change }] }
      const trusted: TokenKeys = { current: () => changed, refresh: async () => {} }
      const token = await sign(payload, { key: ec384.privateKey, kid: 'ec-384', alg: 'ES384' })
      assert.equal(await reasonFor(token, trusted), 'unknown_key')
    }
  })

  it('a key that cannot be imported refuses its own tokens only', async () => {
    const broken: JSONWebKeySet = { keys: [{ kty: 'EC', crv: 'P-256', kid: 'ec-9', x: 'AA', y: 'AA' }, ...keySet.keys] }
    const trusted: TokenKeys = { current: () => broken, refresh: async () => {} }
    assert.equal(await reasonFor(await sign(payload), trusted), 'none')
    assert.equal(await reasonFor(await sign(payload, { kid: 'ec-9' }), trusted), 'malformed')
  })

  it('an unknown key is looked for once, and used when it is there', async () => {
    const newer: JSONWebKeySet = { keys: [...keySet.keys, await jwk(other.publicKey, 'ec-2')] }
    let looked = 0
    const trusted: TokenKeys = {
      current: () => (looked > 0 ? newer : keySet),
      refresh: async () => {
        looked++
      }
    }
    const token = await sign(payload, { key: other.privateKey, kid: 'ec-2' })
    assert.equal(await reasonFor(token, trusted), 'none')
    assert.equal(await reasonFor(await sign(payload, { kid: 'ec-3' }), trusted), 'unknown_key')
    assert.equal(looked, 2)
  })

  it('a token that is wrong in another way asks for no keys', async () => {
    let looked = 0
    const trusted: TokenKeys = {
      current: () => keySet,
      refresh: async () => {
        looked++
      }
    }
    await reasonFor('hello', trusted)
    await reasonFor(await sign({ ...payload, exp: 1 }), trusted)
    assert.equal(looked, 0)
  })

  it('the error holds nothing of the token', async () => {
    const token = await sign({ ...payload, aud: ['vault'] })
    await assert.rejects(verifyPodToken(new Sensitive(token), keys, options, now), (error: unknown) => {
      assert.ok(error instanceof CountersignError)
      assert.ok(!`${error.message}${JSON.stringify(error.facts)}`.includes(token.slice(-20)))
      return true
    })
  })
})
