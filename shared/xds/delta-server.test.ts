import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse
} from '../proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import {
  DEFAULT_LIMITS,
  DeltaServer,
  type DiscoveryServerOptions,
  ENVOY_PUSH_ORDER,
  type Snapshot,
  singlePushOrder,
  TYPE
} from './index.ts'
import { type Content, longName, recordEvents, shortName, snapshot } from './xds.test-support.ts'

type Init = MessageInitShape<typeof DeltaDiscoveryRequestSchema>
/** `secret +default@1 -gone`. */
function show(response: DeltaDiscoveryResponse): string {
  const added = response.resources.map(({ name, version }) => `+${name}@${version}`)
  const removed = response.removedResources.map(name => `-${name}`)
  return [shortName(response.typeUrl), ...added, ...removed].join(' ')
}

describe('a delta server', () => {
  let server: DeltaServer
  let events: string[]
  let state: Snapshot

  const make = (options: Partial<DiscoveryServerOptions> = {}): void => {
    events = []
    server = new DeltaServer({
      order: ENVOY_PUSH_ORDER,
      singleType: false,
      limits: DEFAULT_LIMITS,
      events: recordEvents(events),
      ...options
    })
  }
  beforeEach(() => {
    make()
    state = snapshot({ secret: { default: '1', ROOTCA: '1' }, cluster: { a: '1', b: '1' } })
  })

  const receive = (type: string, request: Init = {}): void =>
    server.receive(create(DeltaDiscoveryRequestSchema, { typeUrl: longName(type), ...request }))
  const responses = (): DeltaDiscoveryResponse[] => {
    const all: DeltaDiscoveryResponse[] = []
    for (let response = server.next(state); response !== undefined; response = server.next(state)) all.push(response)
    return all
  }
  const answers = (): string[] => responses().map(show)
  const subscribe = (type: string, ...names: string[]): void => receive(type, { resourceNamesSubscribe: names })
  const unsubscribe = (type: string, ...names: string[]): void => receive(type, { resourceNamesUnsubscribe: names })
  const change = (content: Content): void => {
    state = { types: new Map([...state.types, ...snapshot(content).types]) }
  }

  it('says nothing before it is asked', () => {
    assert.deepEqual(answers(), [])
  })

  describe('asked for names', () => {
    it('answers with those, and once', () => {
      subscribe('secret', 'default')
      assert.deepEqual(answers(), ['secret +default@1'])
      assert.deepEqual(answers(), [])
    })

    it('sends the content as it is', () => {
      subscribe('secret', 'default')
      const [response] = responses()
      assert.equal(Buffer.from(response?.resources[0]?.resource?.value ?? []).toString(), 'default=1')
      assert.equal(response?.resources[0]?.resource?.typeUrl, TYPE.secret)
    })

    it('says of a name that does not exist that it does not, once', () => {
      subscribe('secret', 'default', 'unknown')
      assert.deepEqual(answers(), ['secret +default@1 -unknown'])
      change({ secret: { default: '2' } })
      assert.deepEqual(answers(), ['secret +default@2'])
    })

    it('sends a name that was missing as soon as it exists', () => {
      subscribe('secret', 'late')
      answers()
      change({ secret: { late: '1' } })
      assert.deepEqual(answers(), ['secret +late@1'])
    })

    it('sends what changed and nothing else', () => {
      subscribe('cluster', 'a', 'b')
      answers()
      change({ cluster: { a: '1', b: '2', c: '1' } })
      assert.deepEqual(answers(), ['cluster +b@2'])
    })

    it('sends nothing for another map with the same content', () => {
      subscribe('cluster', 'a', 'b')
      answers()
      change({ cluster: { b: '1', a: '1' } })
      assert.deepEqual(answers(), [])
    })

    it('says what is gone, and sends it again when it is back with its old version', () => {
      subscribe('cluster', 'a', 'b')
      answers()
      change({ cluster: { b: '1' } })
      assert.deepEqual(answers(), ['cluster -a'])
      assert.deepEqual(answers(), [])
      change({ cluster: { a: '1', b: '1' } })
      assert.deepEqual(answers(), ['cluster +a@1'])
    })

    it('answers a name that is asked for again, though nothing changed', () => {
      subscribe('secret', 'default', 'unknown')
      answers()
      subscribe('secret', 'default', 'unknown')
      assert.deepEqual(answers(), ['secret +default@1 -unknown'])
    })

    it('merges what was asked before it was answered', () => {
      subscribe('secret', 'default')
      subscribe('secret', 'ROOTCA')
      assert.deepEqual(answers(), ['secret +default@1 +ROOTCA@1'])
    })

    it('says no more of a name that is left', () => {
      subscribe('cluster', 'a', 'b')
      answers()
      unsubscribe('cluster', 'a')
      assert.deepEqual(answers(), [])
      change({ cluster: { a: '2', b: '2' } })
      assert.deepEqual(answers(), ['cluster +b@2'])
      change({ cluster: {} })
      assert.deepEqual(answers(), ['cluster -b'])
    })

    it('answers a name that is left and asked for in one request', () => {
      subscribe('cluster', 'a')
      answers()
      receive('cluster', { resourceNamesSubscribe: ['a'], resourceNamesUnsubscribe: ['a'] })
      assert.deepEqual(answers(), ['cluster +a@1'])
    })

    it('does not mind names being left that were never asked for', () => {
      subscribe('cluster', 'a')
      answers()
      unsubscribe('cluster', 'b', 'never')
      assert.deepEqual(answers(), [])
    })
  })

  describe('asked for everything', () => {
    it('takes an empty list for that, in the first request only', () => {
      receive('cluster')
      assert.deepEqual(answers(), ['cluster +a@1 +b@1'])
      make()
      subscribe('cluster', 'a')
      receive('cluster')
      assert.deepEqual(answers(), ['cluster +a@1'])
    })

    it('takes * for that', () => {
      subscribe('cluster', '*')
      assert.deepEqual(answers(), ['cluster +a@1 +b@1'])
    })

    it('answers though there is nothing, so that the client need not wait', () => {
      state = snapshot({ cluster: {} })
      receive('cluster')
      assert.deepEqual(answers(), ['cluster'])
      assert.deepEqual(answers(), [])
    })

    it('sends what is new, changed and gone', () => {
      subscribe('cluster', '*')
      answers()
      change({ cluster: { b: '2', c: '1' } })
      assert.deepEqual(answers(), ['cluster +b@2 +c@1', 'cluster -a'])
    })

    it('answers names besides, also those that do not exist', () => {
      subscribe('cluster', '*', 'a', 'unknown')
      assert.deepEqual(answers(), ['cluster +a@1 +b@1 -unknown'])
    })

    it('answers a name that is asked for later, though it was sent before', () => {
      receive('cluster')
      answers()
      subscribe('cluster', 'a')
      assert.deepEqual(answers(), ['cluster +a@1'])
    })

    it('goes back to the names that were asked for, when * is left', () => {
      subscribe('cluster', '*', 'a')
      answers()
      unsubscribe('cluster', '*')
      change({ cluster: { a: '2', b: '2', c: '1' } })
      assert.deepEqual(answers(), ['cluster +a@2'])
    })

    it('sends everything again when * is left and asked for again', () => {
      subscribe('cluster', '*')
      answers()
      unsubscribe('cluster', '*')
      assert.deepEqual(answers(), [])
      subscribe('cluster', '*')
      assert.deepEqual(answers(), ['cluster +a@1 +b@1'])
    })

    it('can be told to stop after an empty first request, too', () => {
      receive('cluster')
      answers()
      unsubscribe('cluster', '*')
      change({ cluster: { a: '2' } })
      assert.deepEqual(answers(), [])
    })

    it('says of a name that is left whether it is still covered', () => {
      subscribe('cluster', '*', 'a', 'unknown')
      answers()
      unsubscribe('cluster', 'a')
      assert.deepEqual(answers(), ['cluster +a@1'])
      unsubscribe('cluster', 'unknown')
      assert.deepEqual(answers(), ['cluster -unknown'])
    })
  })

  describe('resumed', () => {
    it('does not send again what the client kept', () => {
      receive('cluster', { resourceNamesSubscribe: ['a', 'b'], initialResourceVersions: { a: '1', b: '0' } })
      assert.deepEqual(answers(), ['cluster +b@1'])
    })

    it('says nothing of names when the client has everything', () => {
      receive('cluster', { resourceNamesSubscribe: ['a'], initialResourceVersions: { a: '1' } })
      assert.deepEqual(answers(), [])
    })

    it('answers a wildcard even so, then says what is gone', () => {
      receive('cluster', { resourceNamesSubscribe: ['*'], initialResourceVersions: { a: '1', b: '1', old: '7' } })
      assert.deepEqual(answers(), ['cluster', 'cluster -old'])
    })

    it('says of a kept name that it is gone', () => {
      receive('cluster', { resourceNamesSubscribe: ['a', 'old'], initialResourceVersions: { a: '1', old: '7' } })
      assert.deepEqual(answers(), ['cluster -old'])
    })

    it('ignores versions of what is not asked for', () => {
      receive('cluster', { resourceNamesSubscribe: ['a'], initialResourceVersions: { b: '1', old: '7' } })
      assert.deepEqual(answers(), ['cluster +a@1'])
    })

    it('answers a name that the client says it kept once it asks for it again', () => {
      receive('cluster', { resourceNamesSubscribe: ['a'], initialResourceVersions: { a: '1' } })
      assert.deepEqual(answers(), [])
      subscribe('cluster', 'a')
      assert.deepEqual(answers(), ['cluster +a@1'])
    })

    it('heeds versions in the first request only', () => {
      subscribe('cluster', 'b')
      answers()
      receive('cluster', { resourceNamesSubscribe: ['a'], initialResourceVersions: { a: '1' } })
      assert.deepEqual(answers(), ['cluster +a@1'])
    })
  })

  describe('with a type withheld', () => {
    it('answers neither names nor wildcards until the type is there', () => {
      state = snapshot({})
      receive('listener')
      subscribe('secret', 'default', 'unknown')
      assert.deepEqual(answers(), [])
      change({ secret: { default: '1' } })
      assert.deepEqual(answers(), ['secret +default@1 -unknown'])
      change({ listener: {} })
      assert.deepEqual(answers(), ['listener'])
    })

    it('leaves the client what it has when the type is withheld again', () => {
      subscribe('secret', 'default')
      answers()
      const before = state
      state = snapshot({})
      assert.deepEqual(answers(), [])
      state = before
      assert.deepEqual(answers(), [])
    })
  })

  describe('told what the client made of a response', () => {
    it('reports what was accepted', () => {
      subscribe('secret', 'default', 'ROOTCA', 'unknown')
      const [response] = responses()
      receive('secret', { responseNonce: response?.nonce ?? '' })
      assert.deepEqual(events, ['accepted secret default,1 ROOTCA,1'])
      assert.deepEqual(answers(), [])
    })

    it('reports what was refused, and does not send it again', () => {
      subscribe('secret', 'default', 'unknown')
      const [response] = responses()
      const errorDetail = { code: 13, message: 'no such cipher' }
      receive('secret', { responseNonce: response?.nonce ?? '', errorDetail })
      assert.deepEqual(events, ['rejected secret no such cipher default unknown'])
      assert.deepEqual(answers(), [])
      change({ secret: { default: '1', ROOTCA: '2' } })
      assert.deepEqual(answers(), [])
    })

    it('sends what was refused again once it is something else', () => {
      subscribe('secret', 'default')
      const [response] = responses()
      receive('secret', { responseNonce: response?.nonce ?? '', errorDetail: { message: 'no' } })
      change({ secret: { default: '2' } })
      assert.deepEqual(answers(), ['secret +default@2'])
    })

    it('reports each response once', () => {
      subscribe('secret', 'default')
      const nonce = responses()[0]?.nonce ?? ''
      receive('secret', { responseNonce: nonce })
      receive('secret', { responseNonce: nonce })
      assert.equal(events.length, 1)
    })

    it('tells responses apart whose answers cross', () => {
      subscribe('secret', 'default')
      const first = responses()[0]?.nonce ?? ''
      change({ secret: { default: '2' } })
      const second = responses()[0]?.nonce ?? ''
      receive('secret', { responseNonce: first })
      receive('secret', { responseNonce: second, errorDetail: { message: 'no' } })
      assert.deepEqual(events, ['accepted secret default,1', 'rejected secret no default'])
    })

    it('heeds names in a request with a nonce that is not known', () => {
      subscribe('secret', 'default')
      answers()
      receive('secret', { responseNonce: 'stale', resourceNamesSubscribe: ['ROOTCA'] })
      assert.deepEqual(answers(), ['secret +ROOTCA@1'])
      assert.deepEqual(events, [])
    })

    it('reports a refusal of it knows not what, without names', () => {
      subscribe('secret', 'default')
      answers()
      receive('secret', { responseNonce: 'stale', errorDetail: { message: 'no' } })
      assert.deepEqual(events, ['rejected secret no '])
    })

    it('forgets the oldest of many responses that are never answered', () => {
      subscribe('secret', 'default')
      const first = responses()[0]?.nonce ?? ''
      for (let version = 2; version < 100; version++) {
        change({ secret: { default: String(version) } })
        responses()
      }
      receive('secret', { responseNonce: first })
      assert.deepEqual(events, [])
    })
  })

  describe('with several types', () => {
    const everything = (version: string): Content =>
      Object.fromEntries(Object.keys(TYPE).map(type => [type, { x: version }]))
    const subscribeAll = (): void => {
      for (const type of Object.keys(TYPE).sort()) subscribe(type, '*')
    }

    it('sends what is referred to before what refers to it', () => {
      subscribeAll()
      state = snapshot(everything('1'))
      assert.deepEqual(answers(), [
        'secret +x@1',
        'cluster +x@1',
        'endpoint +x@1',
        'extensionConfig +x@1',
        'listener +x@1',
        'route +x@1'
      ])
    })

    it('removes what refers before what is referred to, after everything new', () => {
      subscribeAll()
      state = snapshot(everything('1'))
      answers()
      state = snapshot({ ...Object.fromEntries(Object.keys(TYPE).map(type => [type, {}])), route: { y: '1' } })
      assert.deepEqual(answers(), [
        'route +y@1',
        'listener -x',
        'route -x',
        'extensionConfig -x',
        'cluster -x',
        'endpoint -x',
        'secret -x'
      ])
    })

    it('has every type in both orders', () => {
      const all = Object.values(TYPE).sort()
      assert.deepEqual([...ENVOY_PUSH_ORDER.updates].sort(), all)
      assert.deepEqual([...ENVOY_PUSH_ORDER.removals].sort(), all)
    })

    it('never answers a type that it does not know, and says so', () => {
      subscribe('type.googleapis.com/envoy.service.runtime.v3.Runtime', 'layer')
      assert.deepEqual(answers(), [])
      assert.deepEqual(events, ['ignored type.googleapis.com/envoy.service.runtime.v3.Runtime'])
    })

    it('has nonces that no other response of the stream has', () => {
      subscribeAll()
      const nonces = responses().map(({ nonce }) => nonce)
      assert.equal(new Set(nonces).size, nonces.length)
    })

    it('needs a type in every request', () => {
      assert.throws(() => receive(''), { code: 'ERR_DISCOVERY_REQUEST_INVALID', message: /^type_url is empty/ })
    })
  })

  describe('of one type', () => {
    beforeEach(() => make({ order: singlePushOrder(TYPE.secret), singleType: true }))

    it('takes requests that leave the type out', () => {
      subscribe('', 'default')
      assert.deepEqual(answers(), ['secret +default@1'])
    })

    it('takes requests that name it', () => {
      subscribe('secret', 'default')
      assert.deepEqual(answers(), ['secret +default@1'])
    })

    it('refuses requests for another type', () => {
      assert.throws(() => subscribe('cluster', 'a'), {
        code: 'ERR_DISCOVERY_REQUEST_INVALID',
        message: /^type_url .*Cluster.* is not served here, expected .*Secret/
      })
    })
  })

  describe('with limits', () => {
    beforeEach(() => make({ limits: { nameBytes: 10, names: 3, totalBytes: 20 } }))

    const refusals: [string, Init, RegExp][] = [
      ['a name that is too long', { resourceNamesSubscribe: ['x'.repeat(11)] }, /^resource_names_subscribe .*11 bytes/],
      [
        'a name that is too long in UTF-8',
        { resourceNamesSubscribe: ['é'.repeat(6)] },
        /^resource_names_subscribe .*12 bytes/
      ],
      ['an empty name', { resourceNamesSubscribe: [''] }, /^resource_names_subscribe has an empty name/],
      ['too many names', { resourceNamesSubscribe: ['a', 'b', 'c', 'd'] }, /^resource_names_subscribe has 4 entries/],
      [
        'too many names to leave',
        { resourceNamesUnsubscribe: ['a', 'b', 'c', 'd'] },
        /^resource_names_unsubscribe has 4/
      ],
      ['an empty name to leave', { resourceNamesUnsubscribe: [''] }, /^resource_names_unsubscribe has an empty/],
      [
        'too many versions',
        { initialResourceVersions: { a: '1', b: '1', c: '1', d: '1' } },
        /^initial_resource_versions has 4/
      ],
      [
        'a version of a name that is too long',
        { initialResourceVersions: { ['x'.repeat(11)]: '1' } },
        /^initial_resource_versions/
      ],
      [
        'too many bytes of names',
        { resourceNamesSubscribe: ['aaaaaaaaa', 'bbbbbbbbb', 'ccccccccc'] },
        /27 bytes of names/
      ]
    ]
    for (const [what, request, message] of refusals) {
      it(`refuses ${what}`, () => {
        assert.throws(() => receive('cluster', request), { code: 'ERR_DISCOVERY_REQUEST_INVALID', message })
      })
    }

    it('counts names over requests and types, and not twice', () => {
      subscribe('cluster', 'a', 'b')
      subscribe('cluster', 'a', 'b')
      subscribe('secret', 'c')
      assert.throws(() => subscribe('secret', 'd'), {
        message: /^resource_names_subscribe takes the stream to 4 names/
      })
    })

    it('has room again for names that were left', () => {
      subscribe('cluster', 'a', 'b', 'c')
      unsubscribe('cluster', 'a', 'b')
      subscribe('secret', 'd', 'e')
      assert.throws(() => subscribe('secret', 'f'))
    })
  })
})
