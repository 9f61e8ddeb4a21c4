import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { Client, type ClientWritableStream, credentials, type ServiceError, status } from '@grpc/grpc-js'
import {
  AccessLogService,
  type StreamAccessLogsMessage,
  StreamAccessLogsMessageSchema,
  type StreamAccessLogsResponse,
  StreamAccessLogsResponseSchema
} from '../../shared/proto/gen/envoy/service/accesslog/v3/als_pb.js'
import {
  CHANNEL_OPTIONS,
  InjectedServer,
  listenUnix,
  methodDefinition,
  UNIX_SERVER_OPTIONS,
  type UnixListener
} from '../../shared/rpc/index.ts'
import { eventually } from '../../test/envoy/eventually.ts'
import { addAccessLogService } from './index.ts'

const { path } = methodDefinition(AccessLogService.method.streamAccessLogs)
const HTTP = create(StreamAccessLogsMessageSchema, { logEntries: { case: 'httpLogs', value: { logEntry: [{}] } } })
const CLAIMING_TO_BE_B = create(StreamAccessLogsMessageSchema, {
  logEntries: HTTP.logEntries,
  identifier: { node: { id: 'pod:b' }, logName: 'b' }
})
const TCP = create(StreamAccessLogsMessageSchema, { logEntries: { case: 'tcpLogs', value: { logEntry: [{}] } } })

interface Stream {
  readonly call: ClientWritableStream<StreamAccessLogsMessage>
  readonly ended: Promise<ServiceError | null>
}

describe('the access log service of a pod’s socket', () => {
  let folder: string
  let server: InjectedServer
  let seen: string[]
  const listeners: UnixListener[] = []
  const clients: Client[] = []
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-access-log-'))
    seen = []
    server = new InjectedServer(UNIX_SERVER_OPTIONS)
    addAccessLogService(server, podUid => seen.push(podUid))
    for (const peer of ['pod:a', 'pod:b', 'somebody'])
      listeners.push(
        await listenUnix(join(folder, peer), { mode: 0o600, onConnection: socket => server.accept(socket, peer) })
      )
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close()
    server.close()
    await Promise.all(listeners.splice(0).map(listener => listener.close()))
    rmSync(folder, { recursive: true })
  })

  const connect = (peer: string): Client => {
    const client = new Client(`unix:${join(folder, peer)}`, credentials.createInsecure(), CHANNEL_OPTIONS)
    clients.push(client)
    return client
  }
  const open = (client: Client): Stream => {
    let end: (error: ServiceError | null) => void = () => {}
    const ended = new Promise<ServiceError | null>(resolve => (end = resolve))
    const call = client.makeClientStreamRequest<StreamAccessLogsMessage, StreamAccessLogsResponse>(
      path,
      message => Buffer.from(toBinary(StreamAccessLogsMessageSchema, message)),
      bytes => fromBinary(StreamAccessLogsResponseSchema, bytes),
      (error: ServiceError | null) => end(error)
    )
    call.on('error', () => {})
    return { call, ended }
  }

  it('hears of each message, and of whose pod it is by the socket alone', async () => {
    const [a, b] = [open(connect('pod:a')), open(connect('pod:b'))]
    a.call.write(CLAIMING_TO_BE_B)
    await eventually(() => assert.deepEqual(seen, ['a']))
    b.call.write(HTTP)
    b.call.write(HTTP)
    await eventually(() => assert.deepEqual(seen, ['a', 'b', 'b']))
    a.call.end()
    assert.equal(await a.ended, null)
  })

  it('makes nothing of messages about connections, and of empty ones', async () => {
    const { call } = open(connect('pod:a'))
    call.write(TCP)
    call.write(create(StreamAccessLogsMessageSchema))
    call.write(HTTP)
    await eventually(() => assert.deepEqual(seen, ['a']))
  })

  it('refuses who is no pod', async () => {
    const { call, ended } = open(connect('somebody'))
    call.write(HTTP)
    assert.equal((await ended)?.code, status.UNAVAILABLE)
    assert.deepEqual(seen, [])
  })

  it('takes 64 streams of one pod, no matter how many another has, and new ones when others ended', async () => {
    const client = connect('pod:a')
    const streams = Array.from({ length: 64 }, () => open(client))
    for (const { call } of streams) call.write(HTTP)
    await eventually(() => assert.equal(seen.length, 64))
    const one = open(client)
    assert.equal((await one.ended)?.code, status.UNAVAILABLE)
    open(connect('pod:b')).call.write(HTTP)
    await eventually(() => assert.equal(seen.at(-1), 'b'))
    for (const { call } of streams.slice(0, 32)) call.cancel()
    for (const { call } of streams.slice(32)) call.end()
    await Promise.all(streams.map(({ ended }) => ended))
    await eventually(async () => {
      const again = open(client)
      again.call.write(HTTP)
      again.call.end()
      assert.equal(await again.ended, null)
    })
  })
})
