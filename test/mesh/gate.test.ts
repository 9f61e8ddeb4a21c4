// The gate: as long as the agent has no listeners for a proxy, the proxy is not ready, however long that lasts; an
// Envoy with its default settings opens by itself after 15 s.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type LocalMesh, podFromDeployment, readDeployments, readManifests, until } from '../../cli/local/index.ts'
import { startTestMesh } from './shop.ts'

const WITHHELD_MS = 60_000

describe('the gate', () => {
  let mesh: LocalMesh
  let close: () => Promise<void>
  before(async () => {
    ;({ mesh, close } = await startTestMesh({ network: '83.0', certificateLifetime: '24h' }))
  })
  after(() => close())

  it('keeps a proxy from being ready for as long as listeners are withheld, and lets it be ready at once afterwards', async () => {
    const deployments = readDeployments(await readManifests(join(import.meta.dirname, '../../examples/shop')))
    const deployment = deployments.get('orders')
    assert.ok(deployment)
    // Without the authority there is no certificate, and without a certificate the agent gives no listeners.
    await mesh.program('authority').kill()
    const starting = mesh.run(podFromDeployment(deployment, mesh.placement()), {
      applications: false,
      readyTimeoutMs: 180_000
    })
    const running = await until('the proxy to be started', () => mesh.pods.find(pod => pod.proxy !== undefined))
    const began = Date.now()
    while (Date.now() - began < WITHHELD_MS) {
      assert.equal(await mesh.isReady(running.pod), false, `ready after ${Date.now() - began} ms without listeners`)
      assert.equal(running.proxy?.running, true, running.proxy?.output.join('\n'))
      await new Promise(resolve => setTimeout(resolve, 500))
    }
    await mesh.startProgram('authority')
    await starting
    assert.equal(await mesh.isReady(running.pod), true)
  })
})
