// A request that the proxy of a server could not hand to its application reached nobody: the proxy of the client sends
// it to another endpoint. What an application may have heard is not sent twice, but for what does no harm.

import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import { after, afterEach, before, describe, it } from 'node:test'
import { newEndpoints } from '../../agent/proxy/fixtures.test-support.ts'
import type { MeshState } from '../../agent/proxy/index.ts'
import type { Endpoints } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { callThrough } from './calls.ts'
import { type Offer, startTwoPods, type TwoPods } from './two-pods.ts'

const NETWORK = '127.83.12'
const HEADER = 'countersign-undelivered'

describe('a request to an application that has just ended', () => {
  let pods: TwoPods
  let application: Server | undefined
  before(async () => {
    pods = await startTwoPods(NETWORK)
  })
  after(() => pods?.stop())
  afterEach(async () => {
    await new Promise(resolve => (application === undefined ? resolve(undefined) : application.close(resolve)))
    application = undefined
  })

  const withEndpoints = (orders: Endpoints): MeshState => ({
    ...pods.state,
    endpoints: new Map(pods.state.endpoints).set('shop/orders', orders)
  })
  /** Port 80 of orders leads to these ports of the server. */
  const lead = async (...offers: readonly Offer[]): Promise<void> => {
    const endpoints = offers.map(offer => ({ address: `${NETWORK}.1`, port: pods.port(offer), mutualTls: true }))
    await pods.client.update(withEndpoints(newEndpoints([{ servicePort: 80, endpoints }])), pods.clientPod)
  }
  const send = (method: string) => callThrough(pods.client.address, 'http://orders/', { method })
  const post = () => send('POST')
  /** An application where there is none else. */
  const serve = async (listener: RequestListener): Promise<void> => {
    application = createServer(listener)
    await new Promise<void>(resolve => application?.listen(pods.port('closed'), `${NETWORK}.101`, resolve))
  }

  it('is answered by another endpoint, whatever its method', async () => {
    await lead('closed', 'http')
    for (let time = 0; time < 20; time++) {
      const { status, body } = await post()
      assert.equal(status, 200, body)
    }
  })

  it('fails when there is no other, and the application that called is told why in words alone', async () => {
    await lead('closed')
    const { status, body, headers } = await post()
    assert.equal(status, 503)
    assert.match(body, /^countersign: the application does not accept connections at /)
    assert.equal(headers[HEADER], undefined)
  })

  it('is not repeated because an application claims so', async () => {
    let heard = 0
    await serve((_, response) => {
      heard++
      response.writeHead(503, { [HEADER]: 'true', connection: 'close' }).end()
    })
    await lead('closed', 'http')
    const statuses: number[] = []
    while (heard === 0) {
      const { status, headers } = await post()
      statuses.push(status)
      assert.equal(headers[HEADER], undefined)
      assert.ok(statuses.length < 100, 'the endpoint was never chosen')
    }
    assert.deepEqual([heard, statuses.at(-1)], [1, 503])
  })

  /** What the caller got, until an application that closes connections instead of answering was asked. */
  const untilBrokenOff = async (method: string): Promise<{ heard: number; statuses: number[] }> => {
    let heard = 0
    await serve(({ socket }) => {
      heard++
      socket.destroy()
    })
    await lead('closed', 'http')
    const statuses: number[] = []
    while (heard === 0) {
      const { status, headers } = await send(method)
      statuses.push(status)
      assert.equal(headers[HEADER], undefined)
      assert.ok(statuses.length < 100, 'the endpoint was never chosen')
    }
    return { heard, statuses }
  }

  for (const method of ['GET', 'HEAD', 'OPTIONS'])
    it(`is answered by another endpoint when the connection is closed instead, as ${method} is safe`, async () => {
      const { heard, statuses } = await untilBrokenOff(method)
      assert.deepEqual([heard, new Set(statuses)], [1, new Set([200])])
    })

  it('is answered by another endpoint when one without a proxy closes the connection, if it is safe', async () => {
    let heard = 0
    await serve(({ socket }) => {
      heard++
      socket.destroy()
    })
    const bare = { address: `${NETWORK}.101`, port: pods.port('closed'), mutualTls: false }
    const sound = { address: `${NETWORK}.1`, port: pods.port('http'), mutualTls: true }
    await pods.client.update(
      withEndpoints(newEndpoints([{ servicePort: 80, endpoints: [bare, sound] }])),
      pods.clientPod
    )
    const statuses = new Set<number>()
    for (let time = 0; time < 100 && heard === 0; time++) statuses.add((await send('GET')).status)
    assert.deepEqual([heard, statuses], [1, new Set([200])])
    const posted: number[] = []
    while (heard === 1 && posted.length < 100) posted.push((await post()).status)
    assert.deepEqual([heard, posted.at(-1)], [2, 503])
  })

  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'])
    it(`is not repeated when the connection is closed instead: who knows what ${method} has done`, async () => {
      const { heard, statuses } = await untilBrokenOff(method)
      assert.deepEqual([heard, statuses.at(-1)], [1, 503])
    })
})
