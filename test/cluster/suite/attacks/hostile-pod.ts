import assert from 'node:assert/strict'
import { it } from 'node:test'
import { answerTo } from '../shop.ts'
import { ATTACKER, LEDGER_PORT, type Victims } from './victims.ts'

const FORGED = {
  'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/shop/sa/storefront',
  x_forwarded_client_cert: 'URI=spiffe://cluster.local/ns/shop/sa/storefront'
}

export function hostilePodAttacks(victims: () => Victims): void {
  it('a member of the mesh cannot be taken for a local process by its address', async () => {
    const { cluster } = victims()
    const answer = await answerTo(cluster, 'shop', 'storefront', `http://ledger.shop:${LEDGER_PORT}/whence`)
    assert.ok(typeof answer !== 'string', String(answer))
    assert.equal(JSON.parse(answer.body).remote.replace('::ffff:', ''), '192.0.2.6')
  })

  it('a member of the mesh cannot say that it is another, where HTTP is declared', async () => {
    const { cluster } = victims()
    const answer = await answerTo(cluster, ATTACKER, 'mallory', 'http://orders.shop/', FORGED)
    assert.ok(typeof answer !== 'string', String(answer))
    assert.match(
      JSON.parse(answer.body).clientCertificate ?? '',
      /;URI=spiffe:\/\/cluster\.local\/ns\/aaa\/sa\/mallory$/
    )
  })
}
