// The identity provider of the examples, judged by a client library of somebody else: what tests and the demonstration
// rely on.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { createLocalJWKSet, createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import { type RunningIdentityProvider, startIdentityProvider } from './index.ts'

const AUDIENCE = 'https://orders.shop.example'
const REDIRECT_URI = 'http://127.0.0.1:9/callback'

const strings = async (response: Response): Promise<Partial<Record<string, string>>> =>
  (await response.json()) as Partial<Record<string, string>>

describe('the identity provider', () => {
  let provider: RunningIdentityProvider
  before(async () => {
    provider = await startIdentityProvider({ redirectUris: [REDIRECT_URI] })
  })
  after(async () => {
    // Asked to end, it ends: open connections of clients that are idle do not hold it.
    assert.equal(await provider?.stop(), 0)
  })

  const verify = async (token: string) =>
    jwtVerify(token, createLocalJWKSet(JSON.parse(await provider.jwks())), {
      issuer: provider.issuer,
      audience: AUDIENCE,
      typ: 'at+jwt'
    })
  const ask = (form: Readonly<Record<string, string>>, credentials = 'job:demonstration') =>
    fetch(`${provider.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams(form),
      headers: { authorization: `Basic ${btoa(credentials)}` }
    })

  it('says where its keys are', async () => {
    const found = await strings(await fetch(`${provider.issuer}/.well-known/openid-configuration`))
    assert.equal(found['issuer'], provider.issuer)
    const token = await provider.token({ audience: AUDIENCE })
    await jwtVerify(token, createRemoteJWKSet(new URL(found['jwks_uri'] ?? '')), { issuer: provider.issuer })
  })

  it('publishes no private key', async () => {
    assert.doesNotMatch(await provider.jwks(), /"(d|p|q|dp|dq|qi)":/)
  })

  for (const algorithm of ['RS256', 'ES256', 'EdDSA'] as const)
    it(`signs a token for a user with ${algorithm}`, async () => {
      const token = await provider.token({
        subject: 'grace',
        audience: AUDIENCE,
        algorithm,
        lifetimeSeconds: 60,
        claims: { email: 'grace@shop.example', realm: { roles: ['buyer'] } }
      })
      const { payload, protectedHeader } = await verify(token)
      assert.equal(protectedHeader.alg, algorithm)
      assert.equal(payload.sub, 'grace')
      assert.equal((payload.exp ?? 0) - (payload.iat ?? 0), 60)
      assert.equal(payload['email'], 'grace@shop.example')
      assert.deepEqual(payload['realm'], { roles: ['buyer'] })
    })

  it('gives a program a token of its own', async () => {
    const response = await ask({ grant_type: 'client_credentials', resource: AUDIENCE })
    const { payload } = await verify((await strings(response))['access_token'] ?? '')
    assert.equal(payload.sub, 'job')
  })

  const REFUSED: Readonly<Record<string, { form: Record<string, string>; credentials?: string; status: number }>> = {
    'whose secret is wrong': {
      form: { grant_type: 'client_credentials', resource: AUDIENCE },
      credentials: 'job:wrong',
      status: 401
    },
    'that names no user': {
      form: { grant_type: 'urn:countersign:demonstration:user', resource: AUDIENCE },
      status: 400
    },
    'that names no audience': {
      form: { grant_type: 'urn:countersign:demonstration:user', username: 'a' },
      status: 400
    },
    'that wants an algorithm that signs with a secret': {
      form: {
        grant_type: 'urn:countersign:demonstration:user',
        username: 'a',
        resource: AUDIENCE,
        algorithm: 'HS256'
      },
      status: 400
    },
    'whose claims are no object': {
      form: { grant_type: 'urn:countersign:demonstration:user', username: 'a', resource: AUDIENCE, token_claims: '[]' },
      status: 400
    }
  }
  for (const [whose, { form, credentials, status }] of Object.entries(REFUSED))
    it(`refuses a program ${whose}`, async () => assert.equal((await ask(form, credentials)).status, status))

  it('signs with new keys after a rotation, and serves the former until they are withdrawn', async () => {
    const before_ = await provider.token({ audience: AUDIENCE })
    await provider.rotate()
    const after_ = await provider.token({ audience: AUDIENCE })
    assert.notEqual(decodeProtectedHeader(before_).kid, decodeProtectedHeader(after_).kid)
    await verify(before_)
    await verify(after_)
    await provider.withdraw()
    await assert.rejects(verify(before_), { code: 'ERR_JWKS_NO_MATCHING_KEY' })
    await verify(after_)
  })

  it('changes no keys for a GET, which a page could make a browser send', async () => {
    const keys = await provider.jwks()
    const { status, headers } = await fetch(`${provider.issuer}/keys/rotate`)
    assert.deepEqual([status, headers.get('allow')], [405, 'POST'])
    assert.equal(await provider.jwks(), keys)
  })

  it('signs somebody in with a browser, on a page that loads nothing', async () => {
    const jar = new Map<string, string>()
    const visit = async (url: string, form?: Record<string, string>): Promise<Response> => {
      const response = await fetch(new URL(url, provider.issuer), {
        redirect: 'manual',
        headers: { cookie: [...jar].map(pair => pair.join('=')).join('; ') },
        ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) })
      })
      for (const cookie of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? []
        jar.set(name, value)
      }
      return response
    }
    const verifier = 'v'.repeat(43)
    const authorization = new URLSearchParams({
      client_id: 'browser',
      response_type: 'code',
      scope: 'openid',
      redirect_uri: REDIRECT_URI,
      resource: AUDIENCE,
      state: 'x',
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256'
    })
    const start = await visit(`/auth?${authorization}`)
    const signIn = start.headers.get('location') ?? ''
    const page = await (await visit(signIn)).text()
    assert.match(page, /<input name="name"/)
    assert.doesNotMatch(page, /https?:\/\/|src=|@import/)

    let next = (await visit(signIn, { name: 'ada' })).headers.get('location') ?? ''
    for (let hops = 0; hops < 5 && !next.startsWith(REDIRECT_URI); hops++)
      next = (await visit(next)).headers.get('location') ?? ''
    const code = new URL(next).searchParams.get('code') ?? ''
    const response = await fetch(`${provider.issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'authorization_code',
        client_id: 'browser',
        code,
        redirect_uri: REDIRECT_URI,
        code_verifier: verifier
      })
    })
    const { access_token: accessToken = '', id_token: idToken } = await strings(response)
    assert.equal((await verify(accessToken)).payload.sub, 'ada')
    assert.equal(typeof idToken, 'string')
  })

  it('shows its own page, which loads nothing, where something is wrong', async () => {
    const response = await fetch(`${provider.issuer}/auth?client_id=<b>`, { headers: { accept: 'text/html' } })
    const page = await response.text()
    assert.equal(response.status, 400)
    assert.match(page, /This did not work/)
    assert.doesNotMatch(page, /https?:\/\/|src=|@import|<b>/)
  })
})
