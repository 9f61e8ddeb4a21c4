// End users' tokens, from a real identity provider to a real application: keys that change, keys that are made up, a
// provider that is away.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Answer, call, until } from '../../cli/local/index.ts'
import { newSigningKey, type RunningIdentityProvider, signed, startIdentityProvider } from '../oidc/index.ts'
import { startTestShop, type TestShop } from './shop.ts'

const AUDIENCE = 'https://shop.test'

describe('end users', () => {
  let shop: TestShop
  let provider: RunningIdentityProvider
  let url: string
  before(async () => {
    provider = await startIdentityProvider()
    shop = await startTestShop({ network: '87.0', certificateLifetime: '24h' })
    url = `http://${shop.orders.pod.address}:8080`
    await shop.mesh.applyText('end-users', policy())
    await until('a token being asked for', async () => ((await get('/')).status === 401 ? true : undefined))
    await until('the keys', async () => ((await get('/', await newToken())).status === 200 ? true : undefined))
  })
  after(async () => {
    await shop?.close()
    await provider?.stop()
  })

  const policy = ({ issuer = provider.issuer, open = '/public/*' } = {}): string => `
apiVersion: countersign.dev/v1
kind: EndUserAuthentication
metadata: { name: orders, namespace: shop }
spec:
  selector: { matchLabels: { app: orders } }
  issuer: ${issuer}
  audiences: [${AUDIENCE}]
  excludePaths: [${open}]
  outputClaimToHeaders: [{ header: x-user, claim: sub }]
`
  const get = (path: string, token?: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
    call({
      url: `${url}${path}`,
      headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
    })
  const newToken = (): Promise<string> => provider.token({ subject: 'ada', audience: AUDIENCE })
  const fetches = async (): Promise<number> => {
    const { body } = await call({ url: `http://${shop.mesh.address('authority').health}/metrics` })
    return [...body.matchAll(/^countersign_authority_key_fetches_total\{.*\} (\d+)$/gm)].reduce(
      (sum, [, count]) => sum + Number(count),
      0
    )
  }

  it('need a token, but for what is public', async () => {
    const missing = await get('/')
    assert.equal(missing.status, 401)
    assert.match(missing.headers['www-authenticate'] ?? '', /^Bearer realm=/)
    assert.equal((await get('/public/page')).status, 200)
    assert.equal((await get('/', 'nonsense')).status, 401)
  })

  it('are named to the application by the proxy, and by nobody else', async () => {
    const token = await newToken()
    const answer = await get('/', token, { 'x-user': 'root' })
    assert.equal(answer.status, 200)
    assert.equal(JSON.parse(answer.body).user, 'ada')
    const open = await get('/public/page', undefined, { 'x-user': 'root' })
    assert.equal(JSON.parse(open.body).user, null)
  })

  it('of another audience and of another issuer are refused', async () => {
    assert.equal((await get('/', await provider.token({ audience: 'https://other.test' }))).status, 401)
    const other = await startIdentityProvider()
    try {
      assert.equal((await get('/', await other.token({ audience: AUDIENCE }))).status, 401)
    } finally {
      await other.stop()
    }
  })

  it('with keys that were just replaced are taken within a second, and none of the others is refused meanwhile', async () => {
    // The provider publishes its former keys for as long as their tokens may live: here, for one rotation.
    let old = await newToken()
    const seen: number[] = []
    let going = true
    const caller = async (): Promise<void> => {
      while (going) seen.push((await get('/', old)).status)
    }
    const callers = [caller(), caller()]
    const delays: number[] = []
    try {
      for (let round = 0; round < 3; round++) {
        await provider.rotate()
        const token = await newToken()
        const firstUse = performance.now()
        await until('the new key', async () => ((await get('/', token)).status === 200 ? true : undefined), {
          intervalMs: 20
        })
        delays.push(Math.round(performance.now() - firstUse))
        old = token
      }
    } finally {
      going = false
      await Promise.all(callers)
    }
    console.log(`from first use to acceptance of a new key: ${delays.join(', ')} ms; ${seen.length} requests meanwhile`)
    assert.deepEqual([...new Set(seen)], [200])
  })

  it('with a key that was withdrawn are refused, once the keys are looked at anew', async () => {
    const old = await newToken()
    await provider.rotate()
    await provider.withdraw()
    const token = await newToken()
    await until('the new key', async () => ((await get('/', token)).status === 200 ? true : undefined))
    assert.equal((await get('/', old)).status, 401)
  })

  it('with made-up keys do not become requests to the provider', async () => {
    const stranger = newSigningKey('ES256')
    const before = await fetches()
    const now = Math.floor(Date.now() / 1_000)
    for (let index = 0; index < 300; index++) {
      const claims = { iss: provider.issuer, sub: 'eve', aud: AUDIENCE, exp: now + 600 }
      assert.equal((await get('/', signed(stranger, claims, { kid: `made-up-${index}` }))).status, 401)
    }
    const asked = (await fetches()) - before
    assert.ok(asked <= 8, `the provider was asked ${asked} times`)
    assert.equal((await get('/', await newToken())).status, 200)
  })

  it('go on while the provider is away, whatever is restarted, and a new issuer that never answered lets nobody in', async () => {
    const token = await newToken()
    await provider.stop()
    assert.equal((await get('/', token)).status, 200)
    await shop.mesh.program('agent').stop()
    await shop.mesh.startProgram('agent')
    assert.equal((await get('/', token)).status, 200)
    await shop.mesh.program('authority').stop()
    await shop.mesh.startProgram('authority')
    await shop.mesh.applyText('end-users', policy({ open: '/open/*' }))
    await until(
      'the restarted authority being heard',
      async () => (await get('/open/page')).status === 200 || undefined
    )
    assert.equal((await get('/', token)).status, 200)
    await shop.mesh.applyText('end-users', policy({ issuer: 'http://127.0.0.1:1' }))
    await until('the new policy', async () => ((await get('/', token)).status === 401 ? true : undefined))
  })
})
