// A pod of a new service account appears: who may serve is known before where it is served, so not even the first
// request finds a server that it was not told of. The authority's half: authority/distribution.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { newEndpoints, spiffeId } from '../../agent/proxy/fixtures.test-support.ts'
import type { MeshState } from '../../agent/proxy/index.ts'
import { callThrough } from './calls.ts'
import { SERVER_ID, startTwoPods, type TwoPods } from './two-pods.ts'

const ROUNDS = 12

describe('the first requests to a pod of a new service account', () => {
  let pods: TwoPods
  before(async () => {
    pods = await startTwoPods('127.83.21')
  })
  after(() => pods?.stop())

  /** What the client knows of shop/orders. */
  const knowing = (identity: string, endpoints: 'its endpoints' | 'no endpoints'): MeshState => {
    const orders = pods.state.services.get('shop/orders')
    assert.ok(orders)
    const withService: MeshState = {
      ...pods.state,
      services: new Map([...pods.state.services, ['shop/orders', { ...orders, identities: [identity] }]])
    }
    if (endpoints === 'its endpoints') return withService
    return { ...withService, endpoints: new Map([...pods.state.endpoints, ['shop/orders', newEndpoints([])]]) }
  }

  it('never fail because of its name, though both are told at the same moment', async () => {
    const { client, clientPod } = pods
    const seen = new Set<number>()
    let going = true
    const caller = async (): Promise<void> => {
      while (going) seen.add((await callThrough(client.address, 'http://orders/')).status)
    }
    const before = spiffeId('shop', 'earlier').toString()
    await client.update(knowing(SERVER_ID, 'no endpoints'), clientPod)
    const callers = [caller(), caller(), caller()]
    try {
      for (let round = 0; round < ROUNDS; round++) {
        await client.update(knowing(before, 'no endpoints'), clientPod)
        assert.equal((await callThrough(client.address, 'http://orders/')).status, 503, 'nobody serves it')
        await client.update(knowing(SERVER_ID, 'its endpoints'), clientPod)
        assert.equal((await callThrough(client.address, 'http://orders/')).status, 200)
        // The other way round it is in two steps, as with a pod that ends: it has no endpoint before it has no name.
        await client.update(knowing(SERVER_ID, 'no endpoints'), clientPod)
      }
    } finally {
      going = false
      await Promise.all(callers)
    }
    for (const status of seen) assert.ok(status === 200 || status === 503, `${status}`)
    const stats = (name: string) => client.envoy.stat(`cluster.outbound/shop/orders/80.${name}`)
    assert.ok((await stats('ssl.handshake')) >= ROUNDS, 'each time on a new connection')
    assert.equal(await stats('ssl.fail_verify_san'), 0)
    assert.equal(await stats('ssl.connection_error'), 0)
  })
})
