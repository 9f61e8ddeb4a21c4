// What may fail without a request being lost: the agent, the authority, both.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Load, servedCertificate, until } from '../../cli/local/index.ts'
import { ORDERS_URL, startTestShop, type TestShop } from './shop.ts'

const LIFETIME_MS = 30_000
// Renewal is due at half of a life, give or take a tenth of that: this much may pass without a certificate ending.
const OUTAGE_MS = 0.4 * LIFETIME_MS

describe('outages under load', () => {
  let shop: TestShop
  before(async () => {
    shop = await startTestShop({ network: '82.0', certificateLifetime: '30s' })
  })
  after(() => shop.close())

  /** Runs `outage` under load, then waits for a new certificate: what was interrupted must have gone on. */
  async function loadDuring(outage: () => Promise<void>): Promise<Load> {
    const load = new Load({ url: ORDERS_URL, through: shop.proxy })
    await until('the load to flow', () => (load.answered > 20 ? true : undefined))
    await outage()
    const { address } = shop.orders.pod
    const { serialNumber } = await servedCertificate(address, 8080)
    await until(
      'a new certificate after the outage',
      async () => ((await servedCertificate(address, 8080)).serialNumber === serialNumber ? undefined : true),
      { timeoutMs: 40_000, intervalMs: 250 }
    )
    await load.stop()
    assert.deepEqual(load.failures, [])
    assert.ok(load.answered > 200, `only ${load.answered} requests were answered`)
    return load
  }

  it('restarts the agent and loses no request', async () => {
    await loadDuring(async () => {
      await shop.mesh.program('agent').stop()
      await pause(1_000)
      await shop.mesh.startProgram('agent')
    })
  })

  it('kills the agent and loses no request', async () => {
    await loadDuring(async () => {
      await shop.mesh.program('agent').kill()
      await pause(1_000)
      await shop.mesh.startProgram('agent')
    })
  })

  it('does without the authority for 0.4 of a certificate’s life and loses no request', async () => {
    await loadDuring(async () => {
      await shop.mesh.program('authority').kill()
      await pause(OUTAGE_MS)
      await shop.mesh.startProgram('authority')
    })
  })

  it('restarts the agent while the authority is gone and loses no request', async () => {
    await loadDuring(async () => {
      await shop.mesh.program('authority').kill()
      await shop.mesh.program('agent').kill()
      await pause(1_000)
      await shop.mesh.startProgram('agent')
      await pause(OUTAGE_MS - 1_000)
      await shop.mesh.startProgram('authority')
    })
  })

  it('serves a proxy that starts while the authority is gone, from what the agent kept', async () => {
    const { mesh, orders } = shop
    await mesh.program('authority').kill()
    await mesh.program('agent').kill()
    await mesh.startProgram('agent')
    await orders.proxy?.kill()
    await mesh.startProxy(orders)
    await mesh.waitReady(orders)
    assert.equal((await shop.callOrders()).status, 200)
    await mesh.startProgram('authority')
  })
})
