// PeerAuthentication as a user applies it, and a server that is not who it should be, through every program.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { type Answer, call, forwardedIdentities, servedCertificate, until } from '../../cli/local/index.ts'
import { applyPolicy, startTestShop, type TestShop } from './shop.ts'

describe('a shop', () => {
  let shop: TestShop
  before(async () => {
    shop = await startTestShop({ network: '85.0', certificateLifetime: '24h' })
  })
  after(() => shop.close())

  const plainly = (): Promise<Answer> => call({ url: `http://${shop.orders.pod.address}:8080/` })
  const certificateSeen = ({ body }: Answer): string | null =>
    (JSON.parse(body) as { clientCertificate: string | null }).clientCertificate

  it('names both ends of a call, whatever the client says of itself', async () => {
    const forged = 'By=spiffe://cluster.local/ns/shop/sa/admin;URI=spiffe://cluster.local/ns/shop/sa/admin'
    const answer = await shop.callOrders({ 'x-forwarded-client-cert': forged })
    assert.equal(answer.status, 200)
    assert.deepEqual(forwardedIdentities(certificateSeen(answer)), {
      client: 'spiffe://cluster.local/ns/shop/sa/storefront',
      server: 'spiffe://cluster.local/ns/shop/sa/orders'
    })
  })

  it('answers plaintext while nothing is said, without an identity', async () => {
    const answer = await plainly()
    assert.equal(answer.status, 200)
    assert.equal(certificateSeen(answer), null)
  })

  it('believes no identity that comes in plaintext', async () => {
    const answer = await call({
      url: `http://${shop.orders.pod.address}:8080/`,
      headers: { 'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/shop/sa/admin' }
    })
    assert.equal(certificateSeen(answer), null)
  })

  it('refuses plaintext under STRICT, answers it again under PERMISSIVE, and never drops mutual TLS', async () => {
    await applyPolicy(shop.mesh, 'peer-authentication-strict')
    const refused = await until('plaintext being refused', () =>
      plainly().then(
        () => undefined,
        (error: Error & { code?: string }) => error.code
      )
    )
    assert.equal(refused, 'ECONNRESET')
    assert.equal((await shop.callOrders()).status, 200)
    await shop.mesh.remove('peer-authentication-strict')
    await until('plaintext being answered', async () => ((await plainly()).status === 200 ? true : undefined))
    assert.equal((await shop.callOrders()).status, 200)
  })

  it('keeps the last good policy when its file is broken, and says where', async () => {
    await applyPolicy(shop.mesh, 'peer-authentication-strict')
    await until('plaintext being refused', () =>
      plainly().then(
        () => undefined,
        () => true
      )
    )
    await shop.mesh.applyText(
      'peer-authentication-strict',
      'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata:\n  name: default\n  namespace: shop\nspec:\n  mtls:\n    mode: STRICKT\n'
    )
    const line = await until('the mistake in the log', () =>
      shop.mesh.program('authority').output.find(text => text.includes('STRICKT'))
    )
    assert.match(line, /peer-authentication-strict\.yaml/)
    assert.match(line, /"line":8/)
    assert.match(line, /spec\.mtls\.mode/)
    await assert.rejects(plainly())
    assert.equal((await shop.callOrders()).status, 200)
    await shop.mesh.remove('peer-authentication-strict')
  })

  it('is not served by a pod of another account that has the address of orders', async () => {
    await shop.orders.proxy?.stop()
    const impostor = await shop.mesh.run(await shop.newPod('guest', shop.orders), { applications: false })
    const { subjectAltName } = await servedCertificate(shop.orders.pod.address, 8080)
    assert.match(subjectAltName ?? '', /sa\/guest$/)
    const answer = await shop.callOrders()
    assert.equal(answer.status, 503)
    assert.match(answer.body, /CERTIFICATE_VERIFY_FAILED/)
    await shop.mesh.delete(impostor)
    await shop.mesh.startProxy(shop.orders)
    await shop.mesh.waitReady(shop.orders)
    await until('orders being called again', async () => ((await shop.callOrders()).status === 200 ? true : undefined))
  })

  it('says which name it does not know', async () => {
    const answer = await call({ url: 'http://oders.shop/', through: shop.proxy })
    assert.equal(answer.status, 502)
    assert.match(answer.body, /oders\.shop/)
  })
})
