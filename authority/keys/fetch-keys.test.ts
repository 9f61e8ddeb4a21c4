import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, it } from 'node:test'
import { FakeClock } from '../../test/fakes/clock.ts'
import { BlockedAddresses } from './blocked-addresses.ts'
import type { FetchDocument } from './fetch-document.ts'
import { fetchKeys } from './fetch-keys.ts'
import type { KeyPlace } from './key-source.ts'

const KEY = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' })
const JWKS = JSON.stringify({ keys: [KEY] })
const ISSUER = 'https://idp.example/realms/shop'
const blockedAddresses = new BlockedAddresses()
const DISCOVERY = `${ISSUER}/.well-known/openid-configuration`

/** A world of documents; what is no text leads elsewhere. */
function world(documents: Readonly<Record<string, unknown>>) {
  const asked: string[] = []
  const fetch: FetchDocument = async url => {
    asked.push(url.href)
    const found = documents[url.href]
    if (found === undefined) throw new Error(`nothing at ${url.href}`)
    const target = found instanceof URL ? found : url
    const text = found instanceof URL ? documents[found.href] : found
    return {
      url: target,
      text: typeof text === 'string' ? text : JSON.stringify(text),
      cache: { cacheControl: 'max-age=600' }
    }
  }
  const clock = new FakeClock()
  const signal = new AbortController().signal
  const get = (place: KeyPlace) => fetchKeys(place, { fetch, blockedAddresses, clock, timeoutMs: 5_000, signal })
  return { asked, clock, get }
}

const issuer = (text: string): KeyPlace => ({ kind: 'issuer', text })
const uri = (text: string): KeyPlace => ({ kind: 'uri', text })

describe('fetching keys', () => {
  it('asks for the key set itself where the policy says where it is', async () => {
    const { asked, get, clock } = world({ 'https://idp.example/keys?tenant=1': JWKS })
    const { count, freshMs, url } = await get(uri('https://idp.example/keys?tenant=1#part'))
    assert.deepEqual([count, freshMs, url], [1, 600_000, 'https://idp.example/keys'])
    assert.deepEqual(asked, ['https://idp.example/keys?tenant=1'])
    assert.equal(clock.pending, 0)
  })

  for (const slash of ['', '/'])
    it(`finds it by discovery for an issuer that ends ${slash === '' ? 'without' : 'with'} a slash`, async () => {
      const { asked, get } = world({
        [DISCOVERY]: { issuer: ISSUER + slash, jwks_uri: 'https://keys.example/jwks' },
        'https://keys.example/jwks': JWKS
      })
      assert.equal((await get(issuer(ISSUER + slash))).count, 1)
      assert.deepEqual(asked, [DISCOVERY, 'https://keys.example/jwks'])
    })

  it('follows an issuer in the clear to another in the clear, because the policy says so', async () => {
    const { get } = world({
      'http://idp.local/.well-known/openid-configuration': {
        issuer: 'http://idp.local',
        jwks_uri: 'http://idp.local/k'
      },
      'http://idp.local/k': JWKS
    })
    assert.equal((await get(issuer('http://idp.local'))).count, 1)
  })

  const WRONG: Readonly<Record<string, readonly [unknown, RegExp]>> = {
    'another issuer': [
      { issuer: 'https://evil.example', jwks_uri: 'https://evil.example/k' },
      /issuer: expected exactly/
    ],
    'an issuer that differs by a slash': [{ issuer: `${ISSUER}/`, jwks_uri: 'https://k.example/k' }, /exactly/],
    'an issuer that differs by a letter’s case': [
      { issuer: ISSUER.toUpperCase(), jwks_uri: 'https://k.example/k' },
      /exactly/
    ],
    'no issuer': [{ jwks_uri: 'https://k.example/k' }, /exactly/],
    'no jwks_uri': [{ issuer: ISSUER }, /jwks_uri: expected an https or http URL/],
    'a jwks_uri that is no text': [{ issuer: ISSUER, jwks_uri: ['https://k.example/k'] }, /jwks_uri: expected/],
    'a jwks_uri in the clear': [{ issuer: ISSUER, jwks_uri: 'http://k.example/k' }, /expected https, got http/],
    'a jwks_uri in a file': [{ issuer: ISSUER, jwks_uri: 'file:///etc/passwd' }, /expected an https or http URL/],
    'a jwks_uri with a password': [{ issuer: ISSUER, jwks_uri: 'https://a:hidden@k.example/k' }, /without a user name/],
    'no JSON': ['<html>hidden</html>', /expected a JSON object/],
    'a list': [[], /expected a JSON object/]
  }
  for (const [title, [document, message]] of Object.entries(WRONG))
    it(`refuses a discovery document with ${title}, and asks nobody else`, async () => {
      const { asked, get } = world({ [DISCOVERY]: document })
      await assert.rejects(get(issuer(ISSUER)), (error: Error & { code?: string }) => {
        assert.match(error.message, message)
        assert.doesNotMatch(error.message, /hidden/)
        return error.code === 'ERR_KEYS_INVALID'
      })
      assert.equal(asked.length, 1)
    })

  const SIGN_IN = `${ISSUER}/authorize`
  const TOKEN = `${ISSUER}/token`
  const discovering = async (document: object) => {
    const { get } = world({
      [DISCOVERY]: { issuer: ISSUER, jwks_uri: 'https://keys.example/jwks', ...document },
      'https://keys.example/jwks': JWKS
    })
    const answer = await get(issuer(ISSUER))
    assert.equal(answer.count, 1, 'the keys are there whatever the endpoints are')
    return answer.discovered
  }

  it('finds the endpoints for signing in on the way', async () => {
    const both = { authorization_endpoint: SIGN_IN, token_endpoint: TOKEN }
    assert.deepEqual(await discovering(both), { endpoints: { authorization: SIGN_IN, token: TOKEN } })
    const endSession = 'https://out.example/end?a=b'
    assert.deepEqual(await discovering({ ...both, end_session_endpoint: endSession }), {
      endpoints: { authorization: SIGN_IN, token: TOKEN, endSession }
    })
    assert.deepEqual(await discovering({ ...both, end_session_endpoint: 'http://out.example/' }), {
      endpoints: { authorization: SIGN_IN, token: TOKEN }
    })
  })

  it('finds none where the policy says where the keys are', async () => {
    const { get } = world({ 'https://keys.example/jwks': JWKS })
    assert.equal('discovered' in (await get(uri('https://keys.example/jwks'))), false)
  })

  const NO_ENDPOINTS: Readonly<Record<string, readonly [object, RegExp]>> = {
    'there are none': [{}, /token_endpoint: expected an https or http URL$/],
    'one is missing': [{ token_endpoint: TOKEN }, /authorization_endpoint: expected an https or http URL$/],
    'one is in the clear': [
      { token_endpoint: 'http://idp.example/token' },
      /token_endpoint: expected https, got http$/
    ],
    'browsers would be sent in the clear': [
      { token_endpoint: TOKEN, authorization_endpoint: 'http://idp.example/' },
      /authorization_endpoint: expected https, got http$/
    ],
    'one is a script': [
      { token_endpoint: TOKEN, authorization_endpoint: 'javascript:alert(1)' },
      /authorization_endpoint: expected an https or http URL$/
    ],
    'one has a password': [
      { token_endpoint: 'https://a:hidden@idp.example/' },
      /token_endpoint: .*without a user name/
    ],
    'one is a list': [{ token_endpoint: [TOKEN] }, /token_endpoint: expected an https or http URL$/],
    'one is endless': [{ token_endpoint: `${TOKEN}?${'x'.repeat(2_048)}` }, /token_endpoint: expected at most 2048/],
    'proxies would ask a blocked address': [
      { token_endpoint: 'https://[::ffff:169.254.169.254]/token', authorization_endpoint: SIGN_IN },
      /token_endpoint: its address is one that nothing is asked of$/
    ]
  }
  for (const [what, [document, message]] of Object.entries(NO_ENDPOINTS))
    it(`finds the keys and no endpoint, and says why, where ${what}`, async () => {
      const discovered = await discovering(document)
      assert.ok(discovered !== undefined && 'problem' in discovered)
      assert.match(discovered.problem, message)
      assert.ok(discovered.problem.startsWith(DISCOVERY) && !discovered.problem.includes('hidden'))
    })

  it('refuses keys in the clear when the discovery document came by https after all', async () => {
    const { get } = world({
      'http://idp.local/.well-known/openid-configuration': new URL('https://idp.local/config'),
      'https://idp.local/config': { issuer: 'http://idp.local', jwks_uri: 'http://idp.local/k' }
    })
    await assert.rejects(get(issuer('http://idp.local')), /expected https, got http/)
  })

  for (const text of [
    'accounts',
    '',
    'me@example.com',
    'https://',
    'https://idp.example?a=b',
    'https://idp.example#a',
    'ftp://idp.example',
    'https://user@idp.example'
  ])
    it(`asks nobody for the keys of issuer ${JSON.stringify(text)}`, async () => {
      const { asked, get } = world({})
      await assert.rejects(get(issuer(text)), { code: 'ERR_KEYS_INVALID', message: /^issuer: expected/ })
      assert.deepEqual(asked, [])
    })

  for (const text of ['keys', '', 'file:///keys', 'data:application/json,{}', 'https://user:hidden@idp.example/k'])
    it(`asks nobody for the keys at ${JSON.stringify(text)}`, async () => {
      const { asked, get } = world({})
      await assert.rejects(get(uri(text)), { code: 'ERR_KEYS_INVALID', message: /^jwksUri: expected (?!.*hidden)/ })
      assert.deepEqual(asked, [])
    })

  it('has one time limit for all that it asks', async () => {
    const clock = new FakeClock()
    const fetch: FetchDocument = (url, signal) =>
      url.href === DISCOVERY
        ? new Promise(resolve => {
            const text = JSON.stringify({ issuer: ISSUER, jwks_uri: 'https://k.example/k' })
            clock.after(3_000, () => resolve({ url, text, cache: {} }))
          })
        : new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    const end = new AbortController()
    const fetching = fetchKeys(issuer(ISSUER), { fetch, blockedAddresses, clock, timeoutMs: 5_000, signal: end.signal })
    const refused = assert.rejects(fetching, {
      code: 'ERR_KEYS_UNAVAILABLE',
      message: 'no whole answer within 5000 ms'
    })
    await clock.advance(4_999)
    await clock.advance(1)
    await refused
    assert.equal(clock.pending, 0)
  })
})
