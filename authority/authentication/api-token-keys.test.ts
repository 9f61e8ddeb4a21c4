import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { FakeApiServer, status } from '../../shared/kube/api-server.test-support.ts'
import { clientOf, recordingLogger } from '../../shared/kube/kube.test-support.ts'
import { Sensitive } from '../../shared/log/index.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { ApiTokenKeys } from './api-token-keys.ts'
import { podTokenVerifier } from './pod-token.ts'

const KEYS = '/openid/v1/jwks'
const DISCOVERY = '/.well-known/openid-configuration'
const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function signer(kid: string) {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  return { jwk: { ...(await exportJWK(publicKey)), kid }, privateKey, kid }
}
type Signer = Awaited<ReturnType<typeof signer>>

function publish(server: FakeApiServer, signers: readonly Signer[], issuer = 'https://issuer'): void {
  server.texts.set(KEYS, JSON.stringify({ keys: signers.map(({ jwk }) => jwk) }))
  server.texts.set(DISCOVERY, JSON.stringify({ issuer, jwks_uri: 'https://elsewhere' }))
}

function token({ privateKey, kid }: Signer, now: number, issuer = 'https://issuer'): Promise<string> {
  const bound = {
    namespace: 'shop',
    serviceaccount: { name: 'orders', uid: 'u-1' },
    pod: { name: 'a', uid: 'u-2' },
    node: { name: 'n', uid: 'u-3' }
  }
  return new SignJWT({ 'kubernetes.io': bound })
    .setProtectedHeader({ alg: 'ES256', kid })
    .setIssuer(issuer)
    .setAudience(['countersign-ca'])
    .setSubject('system:serviceaccount:shop:orders')
    .setIssuedAt(now / 1_000)
    .setNotBefore(now / 1_000)
    .setExpirationTime(now / 1_000 + 3_600)
    .sign(privateKey)
}

async function opened(issuer?: string) {
  const server = await FakeApiServer.start()
  closers.push(() => server.close())
  const first = await signer('key-1')
  publish(server, [first])
  const clock = new FakeClock(Math.floor(Date.now() / 1_000) * 1_000)
  const client = await clientOf(server, clock)
  closers.push(() => client.close())
  const { log, lines } = recordingLogger()
  const keys = await ApiTokenKeys.open({ client, issuer, clock, log })
  closers.push(() => keys.close())
  const verify = podTokenVerifier(keys, keys, clock)
  const check = async (by: Signer, iss?: string) => verify(new Sensitive(await token(by, clock.now(), iss)))
  return { server, first, clock, client, keys, lines, check }
}

describe('token keys of the API server', () => {
  it('verify its tokens, of the issuer that it says it is', async () => {
    const { check, first } = await opened()
    assert.equal((await check(first)).podUid, 'u-2')
    await assert.rejects(check(first, 'https://other'), { code: 'ERR_TOKEN_REFUSED' })
  })

  it('verify tokens of the issuer that was set, and discovery is not asked', async () => {
    const { server, check, first } = await opened('https://set')
    assert.equal((await check(first, 'https://set')).podUid, 'u-2')
    assert.ok(!server.requests.some(({ path }) => path === DISCOVERY))
  })

  it('are asked for again when a token names another', async () => {
    const { server, check, lines } = await opened()
    const second = await signer('key-2')
    publish(server, [second])
    assert.equal((await check(second)).podUid, 'u-2')
    assert.equal(lines.filter(({ msg }) => msg === 'token keys replaced').length, 1)
  })

  it('are not asked for without end when tokens name made-up ones', async () => {
    const { server, check } = await opened()
    const stranger = await signer('made-up')
    const before = server.requests.length
    for (let time = 0; time < 50; time++) await assert.rejects(check(stranger), { code: 'ERR_TOKEN_REFUSED' })
    assert.equal(server.requests.length - before, 2 * 5)
  })

  it('are one object while they are the same', async () => {
    const { keys } = await opened()
    const before = keys.current()
    await keys.refresh()
    assert.equal(keys.current(), before)
  })

  it('are looked at every five minutes, so that one that was taken away is believed no more', async () => {
    const { server, check, first, clock } = await opened()
    const second = await signer('key-2')
    publish(server, [second], 'https://next')
    await check(first)
    await clock.advance(300_000)
    await eventually(async () => {
      return await check(second, 'https://next').then(
        () => true,
        () => false
      )
    }, 'the new keys')
    await assert.rejects(check(first, 'https://next'), { code: 'ERR_TOKEN_REFUSED' })
  })

  it('stay while the API server does not answer, or not with keys', async () => {
    const { server, check, first, keys } = await opened()
    for (const text of ['{"keys":[]}', '<html>', '{}']) {
      server.texts.set(KEYS, text)
      await keys.refresh()
      assert.equal((await check(first)).podUid, 'u-2')
    }
    server.intercept = (_request, response) => {
      status(response, 503, 'Told')
      return true
    }
    await keys.refresh()
    assert.equal((await check(first)).podUid, 'u-2')
  })

  it('are needed for a beginning', async () => {
    const { server, client, clock } = await opened()
    server.texts.set(DISCOVERY, '{}')
    const { log } = recordingLogger()
    await assert.rejects(ApiTokenKeys.open({ client, issuer: undefined, clock, log }), {
      code: 'ERR_KUBERNETES_UNAVAILABLE'
    })
  })
})
