// Outgoing connections to ports of Services that declare nothing: HTTP is found by its first bytes, and what is none
// loses nothing by having been looked at.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectHttp2, createServer, type Http2Server } from 'node:http2'
import { createServer as createTcpServer } from 'node:net'
import { after, afterEach, before, describe, it } from 'node:test'
import { newEndpoints, newService } from '../../agent/proxy/fixtures.test-support.ts'
import type { MeshState, PodState } from '../../agent/proxy/index.ts'
import { Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { freePort } from '../free-port.ts'
import type { Seen } from './applications.ts'
import { type Conversation, call, open, openTls } from './calls.ts'
import { startCapturedClient } from './captured-client.ts'
import type { ExplicitPod } from './explicit-pod.ts'
import { eventually } from './index.ts'
import { type Offer, SERVER_ID, startTwoPods, type TwoPods } from './two-pods.ts'

const NETWORK = '127.83.51'
const VIRTUAL = `${NETWORK}.77`
const BARE = `${NETWORK}.78`
const OFFERED = ['unknownHttp', 'unknownHttp2', 'unknownTls', 'unknownTcp', 'tcp', 'closed'] as const
type Offered = (typeof OFFERED)[number]
const LISTENER = 'listener.outbound-undeclared'

interface Change {
  readonly protocol?: Protocol
  readonly endpoints?: Partial<Record<Offered, readonly { readonly address: string; readonly port: number }[]>>
  readonly another?: boolean
}

describe('a connection to a port of a Service that declares nothing', () => {
  let pods: TwoPods
  let client: ExplicitPod
  let clientPod: PodState
  const ports = new Map<Offered, number>()
  const closers: (() => void | Promise<void>)[] = []
  before(async () => {
    for (const offer of OFFERED) ports.set(offer, await freePort(VIRTUAL))
    pods = await startTwoPods(NETWORK)
    clientPod = { ...pods.clientPod, interception: { kind: 'redirect' } }
    const [first = 0, ...others] = ports.values()
    client = await startCapturedClient(meshOf(), clientPod, VIRTUAL, [first, ...others])
  })
  after(async () => {
    await client?.stop()
    await pods?.stop()
  })
  afterEach(async () => {
    for (const close of closers.splice(0)) await close()
    await client.update(meshOf(), clientPod)
  })

  const port = (offer: Offered): number => ports.get(offer) ?? 0
  const portOf: (offer: Offer) => number = offer => pods.port(offer)

  /** One Service, whose ports lead to the server's by mutual TLS; other endpoints are said to have no proxy. */
  function meshOf({ protocol = Protocol.UNSPECIFIED, endpoints = {}, another = false }: Change = {}): MeshState {
    const service = newService({
      name: 'undeclared',
      addresses: [VIRTUAL],
      ports: OFFERED.map(offer => ({ number: port(offer), name: offer, protocol })),
      identities: [SERVER_ID]
    })
    const list = newEndpoints(
      OFFERED.map(offer => ({
        servicePort: port(offer),
        endpoints: endpoints[offer]?.map(at => ({ ...at, mutualTls: false })) ?? [
          { address: `${NETWORK}.1`, port: portOf(offer), mutualTls: true }
        ]
      }))
    )
    const services = new Map(pods.state.services).set('shop/undeclared', service)
    if (another)
      services.set(
        'shop/another',
        newService({ name: 'another', addresses: [`${NETWORK}.79`], ports: [{ number: 1, name: 'x' }] })
      )
    return { ...pods.state, services, endpoints: new Map(pods.state.endpoints).set('shop/undeclared', list) }
  }

  const kept = (conversation: Conversation): Conversation => {
    closers.push(() => conversation.close())
    return conversation
  }
  const to = async (offer: Offered): Promise<Conversation> => kept(await open(VIRTUAL, port(offer)))
  const echoes = async (conversation: Conversation, word: string): Promise<void> => {
    conversation.write(word)
    await conversation.received(word)
  }
  const session = (offer: Offered) => {
    const http2 = connectHttp2(`http://${VIRTUAL}:${port(offer)}`)
    http2.on('error', () => {})
    closers.push(() => http2.destroy())
    return async (): Promise<{ status: number; body: string }> => {
      const stream = http2.request({ ':path': '/', ':method': 'POST', te: 'trailers' })
      let status = 0
      let body = ''
      stream.on('response', headers => (status = headers[':status'] ?? 0))
      stream.setEncoding('utf8').on('data', part => (body += part))
      stream.end()
      await once(stream, 'close')
      return { status, body }
    }
  }
  /** An application without a proxy that counts what it hears, in HTTP/2. */
  const counting = async (): Promise<{ readonly heard: number; readonly at: { address: string; port: number } }> => {
    const at = { address: BARE, port: await freePort(BARE) }
    let heard = 0
    const server: Http2Server = createServer((_, response) => {
      heard++
      response.end()
    })
    server.listen(at.port, at.address)
    await once(server, 'listening')
    closers.push(() => void server.close())
    return {
      get heard() {
        return heard
      },
      at
    }
  }
  const cluster = (offer: Offered, stat: string): Promise<number> =>
    client.envoy.stat(`cluster.outbound/shop/undeclared/${port(offer)}.${stat}`)

  it('carries HTTP/1.1 as HTTP/1.1, over mutual TLS, and ends when its last answer has arrived', async () => {
    for (let time = 0; time < 20; time++) {
      const { status, body } = await call({
        address: VIRTUAL,
        port: port('unknownHttp'),
        headers: { connection: 'close' }
      })
      assert.equal(status, 200, body)
      assert.equal((JSON.parse(body) as Seen).protocol, '1.1')
    }
    assert.ok((await cluster('unknownHttp', 'upstream_cx_http1_total')) > 0)
    assert.ok((await cluster('unknownHttp', 'ssl.handshake')) > 0)
    // Of twenty clients, who did not call at the same time.
    assert.ok((await cluster('unknownHttp', 'upstream_cx_total')) < 20, 'connections to the Service are shared')
  })

  it('carries HTTP/2 as HTTP/2, which the server knows by ALPN', async () => {
    const { status, body } = await session('unknownHttp2')()
    assert.deepEqual([status, (JSON.parse(body) as Seen).protocol], [200, '2.0'])
    assert.ok((await cluster('unknownHttp2', 'upstream_cx_http2_total')) > 0)
  })

  it('balances each request of one connection', async () => {
    const servers = [await counting(), await counting()]
    await client.update(meshOf({ endpoints: { tcp: servers.map(({ at }) => at) } }), clientPod)
    const request = session('tcp')
    await eventually(async () => {
      assert.equal((await request()).status, 200)
      assert.ok(servers.every(({ heard }) => heard > 0))
    })
  })

  it('repeats a request that reached nobody', async () => {
    const server = await counting()
    const nobody = { address: BARE, port: await freePort(BARE) }
    await client.update(meshOf({ endpoints: { tcp: [nobody, server.at] } }), clientPod)
    const request = session('tcp')
    for (let time = 0; time < 20; time++) assert.equal((await request()).status, 200)
    assert.equal(server.heard, 20)
  })

  it('becomes a WebSocket', async () => {
    const socket = await to('unknownHttp')
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`)
    assert.match(await socket.received('\r\n\r\n'), /^HTTP\/1\.1 101 /)
    await echoes(socket, 'a message')
  })

  it('lets the server speak first', async () => {
    const connection = await to('unknownTcp')
    assert.equal(await connection.received('\n'), 'welcome\n')
    await echoes(connection, 'EHLO client')
  })

  for (const [what, bytes] of Object.entries({
    'bytes that are no HTTP': Buffer.from([0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f]),
    'a line that is no request': 'PING\r\n',
    'a method without a version': 'CONNECT {"verbose":false}\r\n',
    'the start of a request, and no more': 'GET / HT',
    'HTTP/1.0': 'GET / HTTP/1.0\r\n\r\n'
  }))
    it(`carries ${what} as they are`, async () => {
      const connection = await to('tcp')
      connection.write(bytes)
      assert.equal(await connection.received(bytes.toString('latin1')), bytes.toString('latin1'))
    })

  it('carries as bytes what comes when looking has ended', async () => {
    const ended = (): Promise<number> => client.envoy.stat(`${LISTENER}.downstream_pre_cx_timeout`)
    const earlier = await ended()
    const connection = await to('tcp')
    await eventually(async () => assert.ok((await ended()) > earlier))
    await echoes(connection, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  })

  it("leaves the application's own TLS to both ends, whatever it offers", async () => {
    for (const alpn of [[], ['h2', 'http/1.1']]) {
      const tls = kept(await openTls({ address: VIRTUAL, port: port('unknownTls'), alpn }))
      await echoes(tls, 'within TLS')
    }
    assert.equal(await cluster('unknownTls', 'upstream_cx_http2_total'), 0)
  })

  it('is half closed where its client has no more to say, and nothing is lost', async () => {
    const at = { address: BARE, port: await freePort(BARE) }
    const size = 8 * 1024 * 1024
    const server = createTcpServer({ allowHalfOpen: true }, socket => {
      let received = 0
      socket.on('data', part => (received += part.length))
      // Only now: the answer comes over what is still open.
      socket.on('end', () => socket.end(Buffer.alloc(size, `${received === size}`.slice(0, 1))))
    })
    server.listen(at.port, at.address)
    await once(server, 'listening')
    closers.push(() => void server.close())
    await client.update(meshOf({ endpoints: { tcp: [at] } }), clientPod)
    const { socket, ...connection } = await to('tcp')
    socket.end(Buffer.alloc(size, 0))
    assert.ok((await connection.ended()) === 't'.repeat(size))
  })

  it('goes on when endpoints and other Services come and go', async () => {
    const bytes = await to('tcp')
    await echoes(bytes, 'before')
    const webSocket = await to('unknownHttp')
    webSocket.write(`GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`)
    await webSocket.received('\r\n\r\n')
    const elsewhere = { address: BARE, port: 1 }
    await client.update(meshOf({ another: true, endpoints: { tcp: [elsewhere], unknownHttp: [elsewhere] } }), clientPod)
    await client.update(meshOf({ another: true }), clientPod)
    assert.equal(await client.envoy.stat('listener_manager.total_filter_chains_draining'), 0)
    await client.update(meshOf(), clientPod)
    await eventually(async () =>
      assert.equal(await client.envoy.stat('listener_manager.total_filter_chains_draining'), 0)
    )
    await echoes(bytes, 'after')
    await echoes(webSocket, 'after')
  })

  it('finds its Service all the while the port comes to declare what it speaks, and no longer does', async () => {
    let going = true
    const answers = new Set<number | string>()
    const calling = (async () => {
      while (going)
        answers.add(
          await call({ address: VIRTUAL, port: port('unknownHttp') }).then(
            ({ status }) => status,
            error => String(error)
          )
        )
    })()
    for (const protocol of [Protocol.HTTP, Protocol.UNSPECIFIED, Protocol.HTTP, Protocol.UNSPECIFIED])
      await client.update(meshOf({ protocol }), clientPod)
    going = false
    await calling
    assert.deepEqual([...answers], [200])
  })

  it('is in the log once when it comes to nothing, with where it was going and what it was taken for', async () => {
    const nobody = { address: BARE, port: await freePort(BARE) }
    await client.update(meshOf({ endpoints: { closed: [nobody] } }), clientPod)
    const destination = `${VIRTUAL}:${port('closed')}`
    const about = () => client.envoy.accessLog().filter(entry => entry['destination'] === destination)

    assert.equal((await call({ address: VIRTUAL, port: port('closed') })).status, 503)
    const bytes = await to('closed')
    const { localAddress, localPort } = bytes.socket
    bytes.write('bytes\r\n\0')
    await bytes.ended()
    // What is logged later than this was logged because of it.
    assert.equal((await call({ address: VIRTUAL, port: port('closed') })).status, 503)

    await eventually(() => assert.equal(about().length, 3))
    assert.deepEqual(
      about().map(({ log, cluster }) => [log, cluster]),
      ['outbound request', 'outbound connection', 'outbound request'].map(log => [
        log,
        `outbound/shop/undeclared/${port('closed')}`
      ])
    )
    for (const { flags } of about()) assert.match(String(flags), /UF/)
    assert.equal(about()[1]?.['source'], `${localAddress}:${localPort}`)
  })
})
