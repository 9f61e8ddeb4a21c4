import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { create } from '@bufbuild/protobuf'
import type { Client } from '@grpc/grpc-js'
import { eventually } from '../../test/eventually.ts'
import { DiscoveryRequestSchema } from '../proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { SecretDiscoveryService } from '../proto/gen/envoy/service/secret/v3/sds_pb.js'
import {
  bidiTransport,
  InjectedServer,
  listenUnix,
  UNIX_SERVER_OPTIONS,
  type UnixListener,
  unaryCall
} from './index.ts'
import { addEchoService, FETCH, STREAM, unixClient } from './rpc.test-support.ts'

const PEERS = 200
const REQUEST = create(DiscoveryRequestSchema)

describe('a server of injected connections', () => {
  let folder: string
  let server: InjectedServer
  let cancelled: string[]
  const listeners: UnixListener[] = []
  const clients: Client[] = []

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-rpc-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  afterEach(async () => {
    for (const client of clients.splice(0)) client.close()
    server.close()
    await Promise.all(listeners.splice(0).map(listener => listener.close()))
    await eventually(() => server.peers.length === 0, 'all connections are gone')
  })

  const serve = async (peers: readonly string[]): Promise<void> => {
    server = new InjectedServer(UNIX_SERVER_OPTIONS)
    cancelled = []
    addEchoService(server, stream => {
      const peer = InjectedServer.peerOf(stream)
      stream.on('cancelled', () => cancelled.push(peer))
    })
    for (const peer of peers) {
      const onConnection = (socket: Parameters<InjectedServer['accept']>[0]): void => server.accept(socket, peer)
      listeners.push(await listenUnix(join(folder, peer), { mode: 0o600, onConnection }))
    }
  }
  const connect = (peer: string): Client => {
    const client = unixClient(join(folder, peer))
    clients.push(client)
    return client
  }
  const ask = (client: Client): Promise<string> =>
    unaryCall(client, FETCH, REQUEST, { timeoutMs: 30_000 }).then(({ versionInfo }) => versionInfo)

  it(`knows the peer of every call on ${PEERS} sockets`, async () => {
    const peers = Array.from({ length: PEERS }, (_, index) => `pod:${index}`)
    await serve(peers)
    assert.deepEqual(await Promise.all(peers.map(peer => ask(connect(peer)))), peers)
    assert.deepEqual([...server.peers].sort(), [...peers].sort())
  })

  it('ends the streams of one peer and leaves those of the others alone', async () => {
    await serve(['pod:a', 'pod:b'])
    const ended: string[] = []
    const answered: string[] = []
    for (const peer of ['pod:a', 'pod:b']) {
      const stream = bidiTransport(STREAM, () => connect(peer)).open({
        onMessage: ({ versionInfo }) => answered.push(versionInfo),
        onEnd: ({ code }) => ended.push(`${peer} ${code}`)
      })
      stream.send(REQUEST)
    }
    await eventually(() => answered.length === 2, 'both streams answer')
    server.disconnect('pod:a')
    await eventually(() => ended.length === 1, 'the stream of pod a ends')
    await eventually(() => cancelled.length === 1, 'the stream of pod a is cancelled in the server')
    assert.deepEqual(ended, ['pod:a ERR_AUTHORITY_UNAVAILABLE'])
    assert.deepEqual(cancelled, ['pod:a'])
    await eventually(() => server.peers.length === 1, 'pod a is forgotten')
    assert.equal(await ask(connect('pod:b')), 'pod:b')
  })

  it('serves a peer again that was disconnected', async () => {
    await serve(['pod:a'])
    assert.equal(await ask(connect('pod:a')), 'pod:a')
    server.disconnect('pod:a')
    await eventually(() => server.peers.length === 0, 'the connection is gone')
    assert.equal(await ask(connect('pod:a')), 'pod:a')
  })

  it('forgets a peer whose connection ends', async () => {
    await serve(['pod:a'])
    const client = connect('pod:a')
    await ask(client)
    assert.deepEqual(server.peers, ['pod:a'])
    client.close()
    await eventually(() => server.peers.length === 0, 'the peer is forgotten')
  })

  it('knows one peer by several connections', async () => {
    await serve(['pod:a'])
    const [first, second] = [connect('pod:a'), connect('pod:a')]
    await Promise.all([ask(first), ask(second)])
    first.close()
    assert.equal(await ask(second), 'pod:a')
    assert.deepEqual(server.peers, ['pod:a'])
  })

  it('ends everything when it closes, and takes nothing after that', async () => {
    await serve(['pod:a'])
    const ended: string[] = []
    let answers = 0
    const stream = bidiTransport(STREAM, () => connect('pod:a')).open({
      onMessage: () => {
        answers += 1
      },
      onEnd: ({ code }) => ended.push(code)
    })
    stream.send(REQUEST)
    await eventually(() => answers === 1, 'the stream answers')
    server.close()
    await eventually(() => ended.length === 1, 'the stream ends')
    await assert.rejects(unaryCall(connect('pod:a'), FETCH, REQUEST, { timeoutMs: 30_000 }), {
      code: 'ERR_AUTHORITY_UNAVAILABLE'
    })
  })

  it('answers a method that is not there with UNIMPLEMENTED', async () => {
    await serve(['pod:a'])
    const ended = new Promise<unknown>(resolve => {
      bidiTransport(SecretDiscoveryService.method.deltaSecrets, () => connect('pod:a')).open({
        onMessage: () => {},
        onEnd: resolve
      })
    })
    assert.match(String(((await ended) as Error).message), /UNIMPLEMENTED/)
  })

  it('refuses a request that is larger than allowed, and goes on', async () => {
    await serve(['pod:a'])
    const client = connect('pod:a')
    const large = create(DiscoveryRequestSchema, { versionInfo: 'x'.repeat(5 * 1024 * 1024) })
    await assert.rejects(unaryCall(client, FETCH, large, { timeoutMs: 30_000 }), /RESOURCE_EXHAUSTED/)
    assert.equal(await ask(client), 'pod:a')
  })
})
