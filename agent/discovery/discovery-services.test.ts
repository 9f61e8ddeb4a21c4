import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectUnix } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import {
  create,
  type DescMessage,
  type DescMethodBiDiStreaming,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary
} from '@bufbuild/protobuf'
import { Client, credentials } from '@grpc/grpc-js'
import type { CountersignError } from '../../shared/errors/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import { AggregatedDiscoveryService } from '../../shared/proto/gen/envoy/service/discovery/v3/ads_pb.js'
import {
  type DeltaDiscoveryRequestSchema,
  DiscoveryRequestSchema,
  type DiscoveryResponse
} from '../../shared/proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { SecretDiscoveryService } from '../../shared/proto/gen/envoy/service/secret/v3/sds_pb.js'
import {
  bidiTransport,
  InjectedServer,
  listenUnix,
  methodDefinition,
  UNIX_SERVER_OPTIONS,
  type UnixListener,
  unaryCall
} from '../../shared/rpc/index.ts'
import { type Resource, TYPE } from '../../shared/xds/index.ts'
import { eventually } from '../../test/envoy/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { RecordingObserver } from '../../test/fakes/discovery-observer.ts'
import { FakeSnapshotSource } from '../../test/fakes/snapshot-source.ts'
import { addDiscoveryServices } from './index.ts'

const { deltaAggregatedResources: DELTA, streamAggregatedResources: STATE_OF_THE_WORLD } =
  AggregatedDiscoveryService.method
const { deltaSecrets, streamSecrets, fetchSecrets } = SecretDiscoveryService.method

const secret = (name: string, version: string, value = `${name}=${version}`): Resource => ({
  name,
  version,
  typeUrl: TYPE.secret,
  value: Buffer.from(value)
})

/** gRPC's frames (PROTOCOL-HTTP2.md, "Length-Prefixed-Message"): not compressed, length, message. */
function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

/** The messages that are whole. */
function unframed(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = []
  for (let start = 0; bytes.length >= start + 5; ) {
    const end = start + 5 + bytes.readUInt32BE(start + 1)
    if (bytes.length < end) break
    messages.push(bytes.subarray(start + 5, end))
    start = end
  }
  return messages
}

/** The client's side of a stream, with what it was sent. */
interface Opened<Input extends DescMessage, Output extends DescMessage> {
  readonly received: MessageShape<Output>[]
  readonly ended: CountersignError[]
  send(request: MessageInitShape<Input>): void
  close(): void
}

describe('the discovery services of the pods’ sockets', () => {
  let folder: string
  let server: InjectedServer
  let sources: Map<string, FakeSnapshotSource>
  let observer: RecordingObserver
  let clock: FakeClock
  let lines: string[]
  const listeners: UnixListener[] = []
  const clients: Client[] = []

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-discovery-'))
    sources = new Map(['pod:a', 'pod:b'].map(peer => [peer, new FakeSnapshotSource()]))
    observer = new RecordingObserver()
    clock = new FakeClock()
    lines = []
    server = new InjectedServer(UNIX_SERVER_OPTIONS)
    addDiscoveryServices(server, {
      source: peer => sources.get(peer),
      observer,
      clock,
      log: createLogger('test', 'debug', { write: line => lines.push(line) }),
      maxStreams: 3
    })
    for (const peer of ['pod:a', 'pod:b', 'pod:gone']) {
      const onConnection = (socket: Parameters<InjectedServer['accept']>[0]): void => server.accept(socket, peer)
      listeners.push(await listenUnix(join(folder, peer), { mode: 0o600, onConnection }))
    }
  })
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close()
    server.close()
    await Promise.all(listeners.splice(0).map(listener => listener.close()))
    await eventually(() => {
      for (const source of sources.values()) assert.equal(source.listeners, 0, 'a source has a listener left')
      assert.equal(observer.matching('opened').length, observer.matching('closed').length)
    })
    rmSync(folder, { recursive: true })
  })

  const sourceOf = (peer: string): FakeSnapshotSource => {
    const source = sources.get(peer)
    assert.ok(source !== undefined)
    return source
  }
  const connect = (peer: string): Client => {
    const options = { 'grpc.use_local_subchannel_pool': 1 }
    const client = new Client(`unix:${join(folder, peer)}`, credentials.createInsecure(), options)
    clients.push(client)
    return client
  }
  const open = <Input extends DescMessage, Output extends DescMessage>(
    peer: string,
    method: DescMethodBiDiStreaming<Input, Output>
  ): Opened<Input, Output> => {
    const received: MessageShape<Output>[] = []
    const ended: CountersignError[] = []
    const stream = bidiTransport(method, () => connect(peer)).open({
      onMessage: message => received.push(message),
      onEnd: error => ended.push(error)
    })
    return {
      received,
      ended,
      send: request => stream.send(create(method.input, request)),
      close: () => stream.close()
    }
  }
  const fetch = (peer: string, request: MessageInitShape<typeof DiscoveryRequestSchema>): Promise<DiscoveryResponse> =>
    unaryCall(connect(peer), fetchSecrets, create(DiscoveryRequestSchema, request), { timeoutMs: 30_000 })
  const textOf = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString()

  const deltaMethods: [string, DescMethodBiDiStreaming<typeof DeltaDiscoveryRequestSchema>][] = [
    ['DeltaAggregatedResources', DELTA],
    ['DeltaSecrets', deltaSecrets]
  ]
  for (const [name, method] of deltaMethods) {
    it(`serves secrets by ${name}, and their changes`, async () => {
      sourceOf('pod:a').set({ [TYPE.secret]: [secret('default', '1'), secret('ROOTCA', '1')] })
      const stream = open('pod:a', method as typeof DELTA)
      stream.send({ typeUrl: TYPE.secret, resourceNamesSubscribe: ['default', 'unknown'] })
      await eventually(() => assert.equal(stream.received.length, 1))
      assert.equal(textOf(stream.received[0]?.resources[0]?.resource?.value), 'default=1')
      assert.deepEqual(stream.received[0]?.removedResources, ['unknown'])

      stream.send({ typeUrl: TYPE.secret, responseNonce: stream.received[0]?.nonce ?? '' })
      sourceOf('pod:a').set({ [TYPE.secret]: [secret('default', '2'), secret('ROOTCA', '1')] })
      await eventually(() => assert.equal(stream.received.length, 2))
      assert.equal(stream.received[1]?.resources[0]?.version, '2')
      await eventually(() => assert.deepEqual(observer.matching('accepted'), ['accepted pod:a Secret default@1']))
      assert.deepEqual(observer.matching('sent'), ['sent pod:a Secret', 'sent pod:a Secret'])
      assert.deepEqual(stream.ended, [], 'an unknown name ends nothing')
      assert.deepEqual(observer.matching('opened'), [`opened pod:a ${name}`])
      stream.close()
      await eventually(() => assert.deepEqual(observer.matching('closed'), [`closed pod:a ${name}`]))
    })
  }

  const worldMethods: [string, DescMethodBiDiStreaming<typeof DiscoveryRequestSchema>][] = [
    ['StreamAggregatedResources', STATE_OF_THE_WORLD],
    ['StreamSecrets', streamSecrets]
  ]
  for (const [name, method] of worldMethods) {
    it(`serves secrets by ${name}, and their changes`, async () => {
      sourceOf('pod:a').set({ [TYPE.secret]: [secret('default', '1'), secret('ROOTCA', '1')] })
      const stream = open('pod:a', method as typeof STATE_OF_THE_WORLD)
      const resourceNames = ['default', 'unknown']
      stream.send({ typeUrl: TYPE.secret, resourceNames })
      await eventually(() => assert.equal(stream.received.length, 1))
      assert.deepEqual(
        stream.received[0]?.resources.map(({ value }) => textOf(value)),
        ['default=1']
      )

      const { nonce = '', versionInfo = '' } = stream.received[0] ?? {}
      stream.send({ typeUrl: TYPE.secret, resourceNames, versionInfo, responseNonce: nonce })
      await eventually(() => assert.deepEqual(observer.matching('accepted'), ['accepted pod:a Secret default@1']))
      sourceOf('pod:a').set({ [TYPE.secret]: [secret('default', '2'), secret('ROOTCA', '1')] })
      await eventually(() => assert.equal(stream.received.length, 2))
      assert.deepEqual(
        stream.received[1]?.resources.map(({ value }) => textOf(value)),
        ['default=2']
      )
      assert.deepEqual(stream.ended, [], 'an unknown name ends nothing')
      stream.close()
    })
  }

  it('serves secrets by FetchSecrets', async () => {
    sourceOf('pod:a').set({ [TYPE.secret]: [secret('default', '1'), secret('ROOTCA', '1')] })
    const some = await fetch('pod:a', { resourceNames: ['ROOTCA', 'unknown'] })
    assert.deepEqual(
      some.resources.map(({ value }) => textOf(value)),
      ['ROOTCA=1']
    )
    const all = await fetch('pod:a', { typeUrl: TYPE.secret })
    assert.equal(all.resources.length, 2)
    assert.equal(all.typeUrl, TYPE.secret)
  })

  it('fetches nothing while secrets are withheld, and says why in the log', async () => {
    await assert.rejects(fetch('pod:a', { resourceNames: ['default'] }), /UNAVAILABLE: not available at present/)
    assert.match(lines.join(''), /secrets are not there yet/)
  })

  it('serves the same secret under all of its names', async () => {
    const id = 'spiffe://mesh.test/ns/shop/sa/cart'
    const names = ['default', id, 'ROOTCA', 'ALL', 'spiffe://mesh.test']
    sourceOf('pod:a').set({ [TYPE.secret]: names.map(name => secret(name, '1')) })
    const stream = open('pod:a', streamSecrets)
    stream.send({ resourceNames: names })
    await eventually(() => assert.equal(stream.received.length, 1))
    assert.deepEqual(
      stream.received[0]?.resources.map(({ value }) => textOf(value)),
      names.map(name => `${name}=1`)
    )
    stream.close()
  })

  it('gives each pod what is its own, though all ask for the same name', async () => {
    sourceOf('pod:a').set({ [TYPE.secret]: [secret('default', '1', 'key of a')] })
    sourceOf('pod:b').set({ [TYPE.secret]: [secret('default', '1', 'key of b')] })
    const streams = ['pod:a', 'pod:b'].map(peer => open(peer, streamSecrets))
    for (const stream of streams) stream.send({ resourceNames: ['default'] })
    await eventually(() =>
      assert.deepEqual(
        streams.map(({ received }) => received.length),
        [1, 1]
      )
    )
    const values = streams.map(({ received }) => textOf(received[0]?.resources[0]?.value))
    assert.deepEqual(values, ['key of a', 'key of b'])
    for (const stream of streams) stream.close()
  })

  it('answers a withheld type as soon as it is there', async () => {
    const stream = open('pod:a', DELTA)
    stream.send({ typeUrl: TYPE.listener })
    stream.send({ typeUrl: TYPE.secret, resourceNamesSubscribe: ['default'] })
    await eventually(() => assert.equal(sourceOf('pod:a').listeners, 1))
    sourceOf('pod:a').set({ [TYPE.secret]: [] })
    await eventually(() => assert.equal(stream.received.length, 1))
    sourceOf('pod:a').set({ [TYPE.listener]: [] })
    await eventually(() =>
      assert.deepEqual(
        stream.received.map(({ typeUrl }) => typeUrl),
        [TYPE.secret, TYPE.listener]
      )
    )
    stream.close()
  })

  it('reports a refusal, warns of it once a minute, and sends nothing again', async () => {
    sourceOf('pod:a').set({ [TYPE.secret]: [secret('default', '1')] })
    const stream = open('pod:a', DELTA)
    stream.send({ typeUrl: TYPE.secret, resourceNamesSubscribe: ['default'] })
    const warnings = (): Record<string, unknown>[] =>
      lines.map(line => JSON.parse(line)).filter(({ msg }) => msg === 'resources are refused by the peer')
    for (let version = 1; version <= 20; version++) {
      await eventually(() => assert.equal(stream.received.length, version))
      const responseNonce = stream.received.at(-1)?.nonce ?? ''
      stream.send({ typeUrl: TYPE.secret, responseNonce, errorDetail: { message: 'no start line' } })
      await eventually(() => assert.equal(observer.matching('rejected pod:a Secret: no start line').length, version))
      if (version < 20) sourceOf('pod:a').set({ [TYPE.secret]: [secret('default', String(version + 1))] })
    }
    assert.equal(stream.received.length, 20)
    assert.equal(warnings().length, 1)
    assert.deepEqual(warnings()[0]?.['resources'], ['default'])

    await clock.advance(60_000)
    sourceOf('pod:a').set({ [TYPE.secret]: [secret('default', '21')] })
    await eventually(() => assert.equal(stream.received.length, 21))
    stream.send({
      typeUrl: TYPE.secret,
      responseNonce: stream.received.at(-1)?.nonce ?? '',
      errorDetail: { message: 'no' }
    })
    await eventually(() => assert.equal(warnings().length, 2))
    assert.equal(warnings()[1]?.['suppressed'], 19)
    stream.close()
  })

  it('never answers a type that it does not serve, and serves the others', async () => {
    sourceOf('pod:a').set({ [TYPE.secret]: [secret('default', '1')] })
    const stream = open('pod:a', DELTA)
    stream.send({ typeUrl: 'type.googleapis.com/envoy.service.runtime.v3.Runtime', resourceNamesSubscribe: ['layer'] })
    stream.send({ typeUrl: TYPE.secret, resourceNamesSubscribe: ['default'] })
    await eventually(() => assert.equal(stream.received.length, 1))
    assert.equal(stream.received[0]?.typeUrl, TYPE.secret)
    assert.ok(lines.some(line => line.includes('a type is asked for that is not served') && line.includes('"debug"')))
    stream.close()
  })

  const refusals: [string, () => { ended: CountersignError[] }, RegExp][] = [
    [
      'another type than secrets on DeltaSecrets',
      () => {
        const stream = open('pod:a', deltaSecrets)
        stream.send({ typeUrl: TYPE.cluster })
        return stream
      },
      /type_url .*Cluster/
    ],
    [
      'another type than secrets on StreamSecrets',
      () => {
        const stream = open('pod:a', streamSecrets)
        stream.send({ typeUrl: TYPE.cluster })
        return stream
      },
      /type_url .*Cluster/
    ],
    [
      'no type on an aggregated stream',
      () => {
        const stream = open('pod:a', STATE_OF_THE_WORLD)
        stream.send({ resourceNames: ['default'] })
        return stream
      },
      /type_url is empty/
    ],
    [
      'a name that is far too long',
      () => {
        const stream = open('pod:a', DELTA)
        stream.send({ typeUrl: TYPE.secret, resourceNamesSubscribe: ['x'.repeat(5000)] })
        return stream
      },
      /resource_names_subscribe has a name of 5000 bytes/
    ]
  ]
  for (const [what, send, reason] of refusals) {
    it(`ends a stream that asks for ${what}, and tells the reason to the log alone`, async () => {
      sourceOf('pod:a').set({ [TYPE.secret]: [secret('default', '1')] })
      const { ended } = send()
      await eventually(() => assert.equal(ended.length, 1))
      assert.match(ended[0]?.message ?? '', /INVALID_ARGUMENT: the discovery request is not valid$/)
      const logged = lines
        .map(line => JSON.parse(line))
        .find(({ err }) => err?.code === 'ERR_DISCOVERY_REQUEST_INVALID')
      assert.match(logged?.err.message, reason)
      assert.equal(logged?.peer, 'pod:a')
      assert.equal((await fetch('pod:a', { resourceNames: ['default'] })).resources.length, 1, 'the server goes on')
    })
  }

  it('refuses another type than secrets on FetchSecrets', async () => {
    await assert.rejects(fetch('pod:a', { typeUrl: TYPE.cluster }), /INVALID_ARGUMENT/)
  })

  it('warns once of a client that asks nonsense again and again', async () => {
    for (let attempt = 0; attempt < 5; attempt++) {
      const { ended, send } = open('pod:a', deltaSecrets)
      send({ typeUrl: TYPE.cluster })
      await eventually(() => assert.equal(ended.length, 1))
    }
    assert.equal(lines.filter(line => line.includes('ERR_DISCOVERY_REQUEST_INVALID')).length, 1)
  })

  it('ends a stream whose bytes are no request, and goes on', async () => {
    const { path } = methodDefinition(DELTA)
    const call = connect('pod:a').makeBidiStreamRequest(
      path,
      (bytes: Buffer) => bytes,
      bytes => bytes
    )
    const ended = new Promise<Error>(resolve => call.on('error', resolve))
    call.write(Buffer.from([0xff, 0xff, 0xff]))
    await ended
    sourceOf('pod:a').set({ [TYPE.secret]: [] })
    assert.equal((await fetch('pod:a', {})).resources.length, 0)
  })

  it('has nothing for a pod that is gone', async () => {
    const stream = open('pod:gone', DELTA)
    await eventually(() => assert.equal(stream.ended.length, 1))
    assert.match(stream.ended[0]?.message ?? '', /UNAVAILABLE/)
    await assert.rejects(fetch('pod:gone', {}), /UNAVAILABLE/)
  })

  it('gives one pod no more streams than allowed, and others theirs', async () => {
    const streams = [1, 2, 3].map(() => open('pod:a', DELTA))
    await eventually(() => assert.equal(observer.matching('opened').length, 3))
    const fourth = open('pod:a', DELTA)
    await eventually(() => assert.equal(fourth.ended.length, 1))
    assert.match(lines.join(''), /the peer has 3 streams, at most 3 are allowed/)
    const other = open('pod:b', DELTA)
    await eventually(() => assert.equal(observer.matching('opened pod:b').length, 1))

    streams[0]?.close()
    await eventually(() => assert.equal(observer.matching('closed').length, 1))
    const fifth = open('pod:a', DELTA)
    await eventually(() => assert.equal(observer.matching('opened').length, 5))
    for (const stream of [...streams.slice(1), other, fifth]) stream.close()
  })

  it('ends the streams of a pod whose connections are closed', async () => {
    const [own, other] = [open('pod:a', DELTA), open('pod:b', DELTA)]
    await eventually(() => assert.equal(observer.matching('opened').length, 2))
    server.disconnect('pod:a')
    await eventually(() => assert.equal(own.ended.length, 1))
    await eventually(() => assert.deepEqual(observer.matching('closed'), ['closed pod:a DeltaAggregatedResources']))
    assert.equal(sourceOf('pod:a').listeners, 0)
    other.close()
  })

  it('sends a client that does not read only the newest, once it does', async () => {
    const large = (version: number): Resource => secret('default', String(version), `${version}`.padEnd(100_000, ' '))
    sourceOf('pod:a').set({ [TYPE.secret]: [large(0)] })
    // Bare HTTP/2: the client of grpc-js reads ahead whether or not anybody wants to know.
    const session = connectHttp2('http://localhost', { createConnection: () => connectUnix(join(folder, 'pod:a')) })
    const { path } = methodDefinition(DELTA)
    const call = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers'
    })
    const request = create(DELTA.input, { typeUrl: TYPE.secret, resourceNamesSubscribe: ['default'] })
    call.write(framed(toBinary(DELTA.input, request)))
    await eventually(() => assert.equal(observer.matching('sent').length, 1))

    for (let version = 1; version <= 500; version++) {
      sourceOf('pod:a').set({ [TYPE.secret]: [large(version)] })
      await new Promise(resolve => setImmediate(resolve))
    }
    assert.equal(observer.matching('sent').length, 1, 'one response is on its way, and no more')

    let bytes = Buffer.alloc(0)
    call.on('data', part => {
      bytes = Buffer.concat([bytes, part])
    })
    const versions = (): string[] =>
      unframed(bytes).map(message => fromBinary(DELTA.output, message).resources[0]?.version ?? '')
    await eventually(() => assert.deepEqual(versions(), ['0', '500']))
    session.destroy()
    await eventually(() => assert.equal(observer.matching('closed').length, 1))
  })
})
