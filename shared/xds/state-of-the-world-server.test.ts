import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { DiscoveryRequestSchema, type DiscoveryResponse } from '../proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import {
  DEFAULT_LIMITS,
  type DiscoveryServerOptions,
  ENVOY_PUSH_ORDER,
  fetchOnce,
  type Snapshot,
  StateOfTheWorldServer,
  singlePushOrder,
  TYPE
} from './index.ts'
import { type Content, longName, recordEvents, shortName, snapshot } from './xds.test-support.ts'

type Init = MessageInitShape<typeof DiscoveryRequestSchema>

/** `secret ROOTCA=1 default=1`. */
const show = (response: DiscoveryResponse): string =>
  [shortName(response.typeUrl), ...response.resources.map(({ value }) => Buffer.from(value).toString()).sort()].join(
    ' '
  )

describe('a state-of-the-world server', () => {
  let server: StateOfTheWorldServer
  let events: string[]
  let state: Snapshot
  let nonces: Map<string, string>
  let lastVersion: string

  const options = (changes: Partial<DiscoveryServerOptions> = {}): DiscoveryServerOptions => ({
    order: ENVOY_PUSH_ORDER,
    singleType: false,
    limits: DEFAULT_LIMITS,
    events: recordEvents(events),
    ...changes
  })
  beforeEach(() => {
    events = []
    nonces = new Map()
    server = new StateOfTheWorldServer(options())
    state = snapshot({ secret: { default: '1', ROOTCA: '1' }, cluster: { a: '1', b: '1' } })
  })

  const receive = (type: string, request: Init = {}): void =>
    server.receive(create(DiscoveryRequestSchema, { typeUrl: longName(type), ...request }))
  /** As a client does it: always with the nonce of the last response of that type. */
  const ask = (type: string, ...resourceNames: string[]): void =>
    receive(type, { resourceNames, responseNonce: nonces.get(type) ?? '' })
  const answers = (): string[] => {
    const all: string[] = []
    for (let response = server.next(state); response !== undefined; response = server.next(state)) {
      nonces.set(shortName(response.typeUrl), response.nonce)
      lastVersion = response.versionInfo
      all.push(show(response))
    }
    return all
  }
  const change = (content: Content): void => {
    state = { types: new Map([...state.types, ...snapshot(content).types]) }
  }

  it('answers with what was asked for, and once', () => {
    ask('secret', 'default', 'ROOTCA')
    assert.deepEqual(answers(), ['secret ROOTCA=1 default=1'])
    ask('secret', 'default', 'ROOTCA')
    assert.deepEqual(answers(), [])
  })

  it('leaves out a name that does not exist, and sends it with the others when it does', () => {
    ask('secret', 'default', 'late')
    assert.deepEqual(answers(), ['secret default=1'])
    change({ secret: { default: '1', late: '1' } })
    assert.deepEqual(answers(), ['secret default=1 late=1'])
  })

  it('answers though no name exists', () => {
    ask('secret', 'unknown')
    assert.deepEqual(answers(), ['secret'])
    ask('secret', 'unknown')
    assert.deepEqual(answers(), [])
  })

  it('takes an empty list for everything, until names were asked for', () => {
    ask('cluster')
    assert.deepEqual(answers(), ['cluster a=1 b=1'])
    ask('cluster', 'a')
    change({ cluster: { a: '2', b: '2' } })
    assert.deepEqual(answers(), ['cluster a=2'])
    ask('cluster')
    change({ cluster: { a: '3', b: '3' } })
    assert.deepEqual(answers(), [])
  })

  it('takes * for everything, whatever was asked for before', () => {
    ask('cluster', 'a')
    answers()
    ask('cluster', '*', 'a')
    assert.deepEqual(answers(), ['cluster a=1 b=1'])
  })

  it('answers everything though there is nothing', () => {
    state = snapshot({ cluster: {} })
    ask('cluster')
    assert.deepEqual(answers(), ['cluster'])
  })

  it('sends all that was asked for when any of it changes, and nothing when something else does', () => {
    ask('cluster', 'a', 'b')
    answers()
    change({ cluster: { a: '1', b: '1', c: '1' } })
    assert.deepEqual(answers(), [])
    change({ cluster: { a: '1', b: '2', c: '1' } })
    assert.deepEqual(answers(), ['cluster a=1 b=2'])
  })

  it('sends all that is left when something is gone', () => {
    ask('cluster')
    answers()
    change({ cluster: { b: '1' } })
    assert.deepEqual(answers(), ['cluster b=1'])
  })

  it('has a version that follows from the content, whatever its order', () => {
    ask('cluster')
    answers()
    const before = lastVersion
    change({ cluster: { b: '1', a: '1' } })
    assert.deepEqual(answers(), [])
    change({ cluster: { a: '2', b: '1' } })
    answers()
    assert.notEqual(lastVersion, before)
    change({ cluster: { a: '1', b: '1' } })
    answers()
    assert.equal(lastVersion, before)
  })

  it('answers when more is asked for, and not when less is', () => {
    ask('secret', 'default')
    answers()
    ask('secret', 'default', 'ROOTCA')
    assert.deepEqual(answers(), ['secret ROOTCA=1 default=1'])
    ask('secret', 'ROOTCA')
    assert.deepEqual(answers(), [])
    change({ secret: { default: '2', ROOTCA: '1' } })
    assert.deepEqual(answers(), [])
    ask('secret', 'ROOTCA', 'default')
    assert.deepEqual(answers(), ['secret ROOTCA=1 default=2'])
  })

  it('ignores stale requests, whatever they say', () => {
    ask('secret', 'default')
    answers()
    const stale = nonces.get('secret') ?? ''
    change({ secret: { default: '2', ROOTCA: '1' } })
    answers()
    receive('secret', { responseNonce: stale, resourceNames: ['ROOTCA'], errorDetail: { message: 'no' } })
    assert.deepEqual([answers(), events], [[], []])
    ask('secret', 'default')
    assert.deepEqual(events, ['accepted secret default,2'])
  })

  it('takes the first request of a stream whatever its nonce, and answers though the client has that version', () => {
    ask('secret', 'default')
    answers()
    server = new StateOfTheWorldServer(options())
    receive('secret', { resourceNames: ['default'], versionInfo: lastVersion, responseNonce: 'of another stream' })
    assert.deepEqual(answers(), ['secret default=1'])
  })

  it('reports what was accepted, once', () => {
    ask('secret', 'default', 'unknown')
    answers()
    ask('secret', 'default', 'unknown')
    ask('secret', 'default', 'unknown')
    assert.deepEqual(events, ['accepted secret default,1'])
  })

  it('reports what was refused, and sends it again only when it is something else', () => {
    ask('secret', 'default')
    answers()
    const refusal = {
      resourceNames: ['default'],
      responseNonce: nonces.get('secret') ?? '',
      errorDetail: { message: 'no' }
    }
    receive('secret', refusal)
    receive('secret', refusal)
    assert.deepEqual(events, ['rejected secret no default'])
    change({ secret: { default: '1', other: '1' } })
    assert.deepEqual(answers(), [])
    change({ secret: { default: '2' } })
    assert.deepEqual(answers(), ['secret default=2'])
  })

  it('withholds a type that is not in the snapshot, and leaves the client what it has when it goes', () => {
    state = snapshot({})
    ask('listener')
    assert.deepEqual(answers(), [])
    change({ listener: { x: '1' } })
    assert.deepEqual(answers(), ['listener x=1'])
    state = snapshot({})
    assert.deepEqual(answers(), [])
  })

  it('sends what is referred to before what refers to it', () => {
    for (const type of Object.keys(TYPE).sort()) ask(type)
    state = snapshot(Object.fromEntries(Object.keys(TYPE).map(type => [type, { x: '1' }])))
    assert.deepEqual(
      answers().map(line => line.split(' ')[0]),
      ['secret', 'cluster', 'endpoint', 'extensionConfig', 'listener', 'route']
    )
  })

  it('never answers a type that it does not know', () => {
    ask('type.googleapis.com/unknown')
    assert.deepEqual([answers(), events], [[], ['ignored type.googleapis.com/unknown']])
  })

  const refusals: [string, string, Init, RegExp][] = [
    ['a request without a type', '', {}, /^type_url is empty/],
    [
      'a name that is too long',
      'secret',
      { resourceNames: ['x'.repeat(11)] },
      /^resource_names has a name of 11 bytes/
    ],
    ['an empty name', 'secret', { resourceNames: [''] }, /^resource_names has an empty name/],
    ['too many names', 'secret', { resourceNames: ['a', 'b', 'c', 'd'] }, /^resource_names has 4 entries/],
    ['too many bytes of names', 'secret', { resourceNames: ['aaaaaaaa', 'bbbbbbbb', 'cccccccc'] }, /24 bytes/]
  ]
  for (const [what, type, request, message] of refusals) {
    it(`refuses ${what}`, () => {
      server = new StateOfTheWorldServer(options({ limits: { nameBytes: 10, names: 3, totalBytes: 20 } }))
      assert.throws(() => receive(type, request), { code: 'ERR_DISCOVERY_REQUEST_INVALID', message })
    })
  }

  describe('asked once, outside a stream', () => {
    const single = (): DiscoveryServerOptions => options({ order: singlePushOrder(TYPE.secret), singleType: true })
    const fetch = (request: Init): string | undefined => {
      const response = fetchOnce(create(DiscoveryRequestSchema, request), state, single())
      return response && show(response)
    }

    it('answers with what was asked for', () => {
      assert.equal(fetch({ resourceNames: ['default', 'unknown'] }), 'secret default=1')
      assert.equal(fetch({ typeUrl: TYPE.secret }), 'secret ROOTCA=1 default=1')
    })

    it('has no answer while the type is withheld', () => {
      state = snapshot({})
      assert.equal(fetch({ resourceNames: ['default'] }), undefined)
    })

    it('refuses another type', () => {
      assert.throws(() => fetch({ typeUrl: TYPE.cluster }), {
        code: 'ERR_DISCOVERY_REQUEST_INVALID',
        message: /^type_url/
      })
    })
  })
})
