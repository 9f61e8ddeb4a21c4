// Envoy has limits that suit an edge, and end what is long, idle or plenty between applications. None of them may hold.

import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { type Conversation, open, tunnelThrough } from './calls.ts'
import { startTwoPods, type TwoPods } from './two-pods.ts'

type Json = Readonly<Record<string, unknown>>

// More than the 1,024 of everything that Envoy's circuit breakers allow by default.
const MANY = 1_100

const NETWORK = '127.83.19'

/** Every object in a JSON value, at whatever depth. */
function* objectsIn(value: unknown): Generator<Json> {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) yield value as Json
  for (const part of Object.values(value)) yield* objectsIn(part)
}

describe('a default of Envoy', () => {
  let pods: TwoPods
  let dumps: readonly Json[]
  before(async () => {
    pods = await startTwoPods(NETWORK)
    dumps = await Promise.all(
      [pods.client, pods.server].map(async ({ envoy }) => JSON.parse((await envoy.admin('/config_dump')).body))
    )
  })
  after(() => pods?.stop())

  const typed = (name: string): Json[] =>
    dumps.flatMap(dump => [...objectsIn(dump)]).filter(object => String(object['@type']).endsWith(`.${name}`))
  /** Of the data path, not of what the proxy answers itself. */
  const ofData = (object: Json): boolean => ['inbound', 'outbound'].includes(String(object['stat_prefix']))

  it('ends no request after 15 seconds', () => {
    const actions = dumps
      .flatMap(dump => [...objectsIn(dump)])
      .flatMap(({ route }) => (route === undefined ? [] : [route as Json]))
      .filter(({ cluster }) => /^(in|out)bound/.test(String(cluster)))
    assert.ok(actions.length > 10)
    for (const action of actions) {
      assert.equal(action['timeout'], '0s', JSON.stringify(action))
      assert.equal(action['max_stream_duration'], undefined)
      assert.equal(action['idle_timeout'], undefined)
    }
  })

  it('ends no stream that is idle for 5 minutes', () => {
    const managers = typed('HttpConnectionManager').filter(ofData)
    assert.ok(managers.length > 5)
    for (const manager of managers) {
      assert.equal(manager['stream_idle_timeout'], '0s')
      for (const limit of ['request_timeout', 'request_headers_timeout', 'max_connection_duration'])
        assert.equal(manager[limit], undefined, limit)
    }
  })

  it('ends no connection that is idle for an hour', () => {
    const proxies = typed('TcpProxy').filter(ofData)
    assert.ok(proxies.length > 5)
    for (const proxy of proxies) {
      assert.equal(proxy['idle_timeout'], '0s')
      assert.equal(proxy['max_downstream_connection_duration'], undefined)
    }
  })

  it('limits no cluster of the data path', () => {
    const clusters = typed('Cluster').filter(({ name }) => /^(in|out)bound/.test(String(name)))
    assert.ok(clusters.length > 20)
    for (const { name, circuit_breakers: breakers } of clusters) {
      const [threshold, ...others] = (breakers as { thresholds: Json[] }).thresholds
      assert.deepEqual(others, [], String(name))
      for (const limit of ['max_connections', 'max_pending_requests', 'max_requests', 'max_retries'])
        assert.equal(threshold?.[limit], 0xffff_ffff, `${name} ${limit}`)
    }
  })

  /** So many at a time that no listen queue on the way overflows, and all of them open at the end. */
  async function openMany(one: () => Promise<Conversation>): Promise<Conversation[]> {
    const conversations: Conversation[] = []
    while (conversations.length < MANY) conversations.push(...(await Promise.all(Array.from({ length: 50 }, one))))
    return conversations
  }

  it('leaves room for more than 1,024 connections to one Service', async () => {
    const conversations = await openMany(async () => {
      const tunnel = await tunnelThrough(pods.client.address, `orders:${pods.servicePort('tcp')}`)
      tunnel.write('ping')
      await tunnel.received('ping')
      return tunnel
    })
    // All are there at once, and all still work.
    assert.ok((await pods.server.envoy.stat(`cluster.inbound/${pods.port('tcp')}.upstream_cx_active`)) >= MANY)
    for (const conversation of conversations) conversation.write('pong')
    for (const conversation of conversations) await conversation.received('pong')
    for (const conversation of conversations) conversation.close()
  })

  it('leaves room for more than 1,024 requests to one Service', async () => {
    const conversations = await openMany(async () => {
      const socket = await open(pods.client.address, 15001)
      socket.write(
        'GET http://orders/ HTTP/1.1\r\nhost: orders\r\nconnection: upgrade\r\nupgrade: websocket\r\n' +
          'sec-websocket-version: 13\r\nsec-websocket-key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n'
      )
      assert.match(await socket.received('\r\n\r\n'), /^HTTP\/1\.1 101 /)
      return socket
    })
    assert.ok((await pods.server.envoy.stat(`cluster.inbound/${pods.port('http')}.upstream_rq_active`)) >= MANY)
    for (const conversation of conversations) conversation.close()
  })

  describe('with an application of its own mind', () => {
    let server: Server
    const sockets = new Set<Socket>()
    let answer: (socket: Socket) => void
    before(async () => {
      server = createServer(socket => {
        sockets.add(socket)
        socket.on('error', () => socket.destroy())
        socket.on('close', () => sockets.delete(socket))
        socket.on('data', () => answer(socket))
      })
      // Where nobody of the two pods listens.
      await new Promise<void>(resolve => server.listen(pods.port('closed'), `${NETWORK}.101`, resolve))
    })
    after(async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    })
    const url = (): string => `http://orders:${pods.servicePort('closed')}/`

    it('sends nothing to a connection that the application closes as soon as it is idle', async () => {
      answer = socket => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
      const agent = new Agent({ keepAlive: true, maxSockets: 1 })
      const get = (): Promise<number | undefined> =>
        new Promise((resolve, reject) => {
          const target = { host: pods.client.address, port: 15001, path: url(), agent, timeout: 20_000 }
          const asked = request({ ...target, headers: { host: new URL(url()).host } }, response => {
            response.resume()
            response.on('end', () => resolve(response.statusCode))
          })
          asked.on('error', reject)
          asked.on('timeout', () => asked.destroy(new Error('no answer')))
          asked.end()
        })
      const statuses: (number | undefined)[] = []
      for (let n = 0; n < 100; n++) statuses.push(await get())
      agent.destroy()
      assert.deepEqual([...new Set(statuses)], [200])
    })

    it('refuses no registered method, those of WebDAV and caches among them', async () => {
      answer = socket => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
      for (const method of ['PATCH', 'PROPFIND', 'REPORT', 'PURGE']) {
        const socket = await open(pods.client.address, 15001)
        socket.write(`${method} ${url()} HTTP/1.1\r\nhost: ${new URL(url()).host}\r\n\r\n`)
        assert.match(await socket.received('ok'), /^HTTP\/1\.1 200 /, method)
        socket.close()
      }
    })
  })
})
