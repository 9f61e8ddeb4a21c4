import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { beforeEach, describe, it } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { FakeSnapshotSource } from '../../test/fakes/snapshot-source.ts'
import type { CountersignError } from '../errors/index.ts'
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse
} from '../proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { DEFAULT_LIMITS, DeltaServer, ENVOY_PUSH_ORDER, type StreamCall, serveStream, TYPE } from './index.ts'
import { recordEvents, resources } from './xds.test-support.ts'

/** The server's side of a stream whose client reads when it is told to. */
class FakeCall extends EventEmitter implements StreamCall<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  readonly written: string[] = []
  ended = false
  readonly #unread: (() => void)[] = []

  write(response: DeltaDiscoveryResponse, flushed: () => void): void {
    this.written.push(response.resources.map(({ name, version }) => `${name}@${version}`).join(' '))
    this.#unread.push(flushed)
  }

  end(): void {
    this.ended = true
  }

  read(): void {
    this.#unread.shift()?.()
  }

  get unread(): number {
    return this.#unread.length
  }

  receive(init: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): void {
    this.emit('data', create(DeltaDiscoveryRequestSchema, init))
  }
}

describe('a served stream', () => {
  let call: FakeCall
  let source: FakeSnapshotSource
  let failures: CountersignError[]
  let closings: (CountersignError | undefined)[]
  let sent: number

  beforeEach(() => {
    call = new FakeCall()
    source = new FakeSnapshotSource()
    failures = []
    closings = []
    sent = 0
    const events = recordEvents([])
    serveStream({
      call,
      server: new DeltaServer({ order: ENVOY_PUSH_ORDER, singleType: false, limits: DEFAULT_LIMITS, events }),
      source,
      fail: error => failures.push(error),
      onSent: () => {
        sent += 1
      },
      onClosed: error => closings.push(error)
    })
  })

  const secrets = (version: number): void =>
    source.set({ [TYPE.secret]: resources('secret', { default: String(version) }) })
  const subscribe = (): void => call.receive({ typeUrl: TYPE.secret, resourceNamesSubscribe: ['default'] })

  it('answers requests, and changes of the source', () => {
    secrets(1)
    assert.deepEqual(call.written, [])
    subscribe()
    assert.deepEqual(call.written, ['default@1'])
    call.read()
    secrets(2)
    assert.deepEqual(call.written, ['default@1', 'default@2'])
    assert.equal(sent, 2)
  })

  it('has one response on its way at most, and then sends the newest snapshot and none in between', () => {
    secrets(1)
    subscribe()
    for (let version = 2; version <= 1000; version++) secrets(version)
    assert.deepEqual([call.written, call.unread], [['default@1'], 1])
    call.read()
    assert.deepEqual(call.written, ['default@1', 'default@1000'])
    call.read()
    assert.equal(call.unread, 0)
  })

  it('sends one type after the other as the client reads', () => {
    source.set({
      [TYPE.listener]: resources('listener', { l: '1' }),
      [TYPE.cluster]: resources('cluster', { c: '1' })
    })
    call.receive({ typeUrl: TYPE.listener, resourceNamesSubscribe: ['*'] })
    call.receive({ typeUrl: TYPE.cluster, resourceNamesSubscribe: ['*'] })
    assert.deepEqual(call.written, ['l@1'])
    call.read()
    call.read()
    assert.deepEqual(call.written, ['l@1', 'c@1'])
  })

  it('ends when the client ends it', () => {
    subscribe()
    call.emit('end')
    assert.deepEqual([call.ended, closings, source.listeners], [true, [undefined], 0])
  })

  for (const event of ['cancelled', 'close']) {
    it(`is over when it is ${event}, and nothing is written any more`, () => {
      subscribe()
      call.emit(event)
      call.emit('close')
      secrets(1)
      subscribe()
      assert.deepEqual([call.written, closings, source.listeners], [[], [undefined], 0])
    })
  }

  it('fails when a request is not valid, once, and heeds no further ones', () => {
    secrets(1)
    call.receive({ typeUrl: '' })
    call.receive({ typeUrl: '' })
    subscribe()
    call.emit('close')
    assert.deepEqual(
      failures.map(({ code }) => code),
      ['ERR_DISCOVERY_REQUEST_INVALID']
    )
    assert.deepEqual(closings, failures)
    assert.deepEqual([call.written, source.listeners], [[], 0])
  })

  it('fails by itself, without harm to the source, when a response cannot be written', () => {
    subscribe()
    call.write = () => {
      throw new Error('write after end')
    }
    secrets(1)
    assert.deepEqual(
      failures.map(({ code }) => code),
      ['ERR_INTERNAL']
    )
    assert.equal(source.listeners, 0)
  })
})
