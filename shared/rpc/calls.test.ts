import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { Client, credentials, type ServerOptions, status } from '@grpc/grpc-js'
import { eventually } from '../../test/eventually.ts'
import type { CountersignError } from '../errors/index.ts'
import {
  DiscoveryRequestSchema,
  type DiscoveryResponse,
  DiscoveryResponseSchema
} from '../proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { SecretDiscoveryService } from '../proto/gen/envoy/service/secret/v3/sds_pb.js'
import {
  bidiTransport,
  CHANNEL_OPTIONS,
  InjectedServer,
  listenUnix,
  serviceDefinition,
  type UnixListener,
  unaryCall
} from './index.ts'
import { FETCH, STREAM, unixClient } from './rpc.test-support.ts'

const REQUEST = create(DiscoveryRequestSchema)

type Answer = (error: { code: status; details: string } | null, response?: DiscoveryResponse) => void
interface Stream {
  on(event: string, listener: () => void): void
  emit(event: 'error', error: { code: status; details: string }): void
  write(response: DiscoveryResponse): void
  end(): void
}

describe('a call', () => {
  let path: string
  let folder: string
  let server: InjectedServer
  let listener: UnixListener
  let client: Client
  let fetch: (answer: Answer) => void
  let stream: (call: Stream) => void

  const start = async (options: ServerOptions = {}): Promise<void> => {
    server = new InjectedServer(options)
    server.addService(serviceDefinition(SecretDiscoveryService), {
      FetchSecrets: (_call: unknown, answer: Answer) => fetch(answer),
      StreamSecrets: (call: Stream) => stream(call)
    })
    listener = await listenUnix(path, { mode: 0o600, onConnection: socket => server.accept(socket, 'peer') })
    client = unixClient(path)
  }
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-calls-'))
    path = join(folder, 'socket')
    fetch = answer => answer(null, create(DiscoveryResponseSchema, { versionInfo: 'answered' }))
    stream = call => call.on('end', () => call.end())
  })
  afterEach(async () => {
    client.close()
    server.close()
    await listener.close()
    rmSync(folder, { recursive: true })
  })

  const open = (): { received: string[]; ended: CountersignError[]; close(): void; send(): void } => {
    const received: string[] = []
    const ended: CountersignError[] = []
    const opened = bidiTransport(STREAM, () => unixClient(path)).open({
      onMessage: ({ versionInfo }) => received.push(versionInfo),
      onEnd: error => ended.push(error)
    })
    return { received, ended, close: () => opened.close(), send: () => opened.send(REQUEST) }
  }

  it('with one answer resolves with it', async () => {
    await start()
    assert.equal((await unaryCall(client, FETCH, REQUEST, { timeoutMs: 30_000 })).versionInfo, 'answered')
  })

  const failures: [status, string][] = [
    [status.PERMISSION_DENIED, 'ERR_AUTHORITY_REFUSED'],
    [status.UNAUTHENTICATED, 'ERR_AUTHORITY_REFUSED'],
    [status.INVALID_ARGUMENT, 'ERR_AUTHORITY_REFUSED'],
    [status.FAILED_PRECONDITION, 'ERR_AUTHORITY_REFUSED'],
    [status.UNAVAILABLE, 'ERR_AUTHORITY_UNAVAILABLE'],
    [status.INTERNAL, 'ERR_AUTHORITY_UNAVAILABLE'],
    [status.RESOURCE_EXHAUSTED, 'ERR_AUTHORITY_UNAVAILABLE'],
    [status.UNIMPLEMENTED, 'ERR_AUTHORITY_UNAVAILABLE']
  ]
  for (const [code, expected] of failures) {
    it(`answered with ${status[code]} fails with ${expected}, as a call and as a stream`, async () => {
      fetch = answer => answer({ code, details: 'because' })
      stream = call => call.emit('error', { code, details: 'because' })
      await start()
      const message = `the call ended with ${status[code]}: because`
      await assert.rejects(unaryCall(client, FETCH, REQUEST, { timeoutMs: 30_000 }), { code: expected, message })
      const { ended } = open()
      await eventually(() => ended.length === 1, 'the stream ends')
      assert.deepEqual([ended[0]?.code, ended[0]?.message], [expected, message])
    })
  }

  it('that is not answered in time fails', async () => {
    fetch = () => {}
    await start()
    const call = unaryCall(client, FETCH, REQUEST, { timeoutMs: 50 })
    await assert.rejects(call, { code: 'ERR_AUTHORITY_UNAVAILABLE', message: /DEADLINE_EXCEEDED/ })
  })

  it('that is given up fails, whether before or while it runs', async () => {
    const controller = new AbortController()
    fetch = () => controller.abort()
    await start()
    for (const when of ['while it runs', 'before']) {
      const call = unaryCall(client, FETCH, REQUEST, { timeoutMs: 30_000, signal: controller.signal })
      await assert.rejects(call, { code: 'ERR_AUTHORITY_UNAVAILABLE', message: /CANCELLED/ }, when)
    }
  })

  it('fails when nobody listens', async () => {
    await start()
    await listener.close()
    await assert.rejects(unaryCall(client, FETCH, REQUEST, { timeoutMs: 30_000 }), {
      code: 'ERR_AUTHORITY_UNAVAILABLE'
    })
    const { ended } = open()
    await eventually(() => ended.length === 1, 'the stream ends')
    assert.equal(ended[0]?.code, 'ERR_AUTHORITY_UNAVAILABLE')
  })

  it('that streams fails when whoever is there says nothing', async () => {
    await start()
    const sockets = new Set<Socket>()
    const silent = createServer(socket => sockets.add(socket)).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    const connect = (): Client => new Client(`127.0.0.1:${port}`, credentials.createSsl(), CHANNEL_OPTIONS)
    const error = await new Promise<CountersignError>(resolve =>
      bidiTransport(STREAM, connect, 50).open({ onMessage() {}, onEnd: resolve })
    )
    assert.equal(error.code, 'ERR_AUTHORITY_UNAVAILABLE')
    assert.match(error.message, /no connection within 0\.05 s/)
    for (const socket of sockets) socket.destroy()
    silent.close()
    await once(silent, 'close')
  })

  it('that streams ends with an error when the server ends it in peace', async () => {
    stream = call => call.end()
    await start()
    const { ended } = open()
    await eventually(() => ended.length === 1, 'the stream ends')
    assert.equal(ended[0]?.message, 'the server ended the stream')
  })

  it('that streams tells nothing more once it is closed', async () => {
    let cancelled = false
    const calls: Stream[] = []
    stream = call => {
      calls.push(call)
      call.on('cancelled', () => {
        cancelled = true
      })
    }
    await start()
    const { received, ended, close, send } = open()
    await eventually(() => calls.length === 1, 'the stream opens')
    calls[0]?.write(create(DiscoveryResponseSchema, { versionInfo: '1' }))
    await eventually(() => received.length === 1, 'a message comes')
    close()
    close()
    send()
    await eventually(() => cancelled, 'the server notices')
    assert.deepEqual([received, ended], [['1'], []])
  })

  it('is ended by the server when its connection is old', async () => {
    await start({ 'grpc.max_connection_age_ms': 50, 'grpc.max_connection_age_grace_ms': 50 })
    const { ended } = open()
    await eventually(() => ended.length === 1, 'the stream ends')
    await eventually(() => server.peers.length === 0, 'the connection is gone')
  })

  const garbage: [string, string][] = [
    ['another protocol', 'GET / HTTP/1.1\r\n\r\n'],
    ['random bytes', '\x00\xff'.repeat(500)],
    ['a preface and then random bytes', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${'\xff'.repeat(500)}`]
  ]
  for (const [what, bytes] of garbage) {
    it(`is served though another connection speaks ${what}`, async () => {
      await start()
      const socket = await new Promise<Socket>(resolve => {
        const made = connect(path, () => resolve(made))
      })
      socket.on('error', () => {})
      const closed = new Promise(resolve => socket.once('close', resolve))
      socket.resume().write(Buffer.from(bytes, 'latin1'))
      await closed
      assert.equal((await unaryCall(client, FETCH, REQUEST, { timeoutMs: 30_000 })).versionInfo, 'answered')
    })
  }
})
