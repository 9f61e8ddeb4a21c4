import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { FakeClock } from '../../test/fakes/clock.ts'
import { FakeDiscoveryTransport } from '../../test/fakes/discovery-transport.ts'
import { createLogger } from '../log/index.ts'
import { MeshSchema, type Service, ServiceSchema } from '../proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema
} from '../proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { createResource, DiscoveryClient, type DiscoveryClientOptions, type Resource, resourceType } from './index.ts'

const MESH = resourceType(MeshSchema)
const SERVICE = resourceType(ServiceSchema, ({ name }) => {
  if (name === 'forbidden') throw new Error('name is not allowed')
})

const service = (name: string, namespace = 'shop'): Resource =>
  createResource(ServiceSchema, `${namespace}/${name}`, { namespace, name })

type Sent = MessageInitShape<typeof DeltaDiscoveryResponseSchema>

function response(nonce: string, resources: readonly Resource[], more: Sent = {}): DeltaDiscoveryResponse {
  return create(DeltaDiscoveryResponseSchema, {
    typeUrl: SERVICE.typeUrl,
    nonce,
    resources: resources.map(({ name, version, typeUrl, value }) => ({ name, version, resource: { typeUrl, value } })),
    ...more
  })
}

describe('a discovery client', () => {
  let clock: FakeClock
  let transport: FakeDiscoveryTransport
  let client: DiscoveryClient
  let changes: number
  let random: number
  let lines: string[]

  const make = (options: Partial<DiscoveryClientOptions> = {}): void => {
    clock = new FakeClock()
    transport = new FakeDiscoveryTransport()
    changes = 0
    random = 1
    lines = []
    client = new DiscoveryClient({
      types: [MESH, SERVICE],
      transport,
      clock,
      random: () => random,
      log: createLogger('test', 'debug', { write: line => lines.push(line) }),
      ...options
    })
    client.subscribe(() => {
      changes += 1
    })
  }
  beforeEach(() => make())

  const names = (): string[] => [...client.messages(SERVICE).keys()].sort()
  const lastRequest = (): DeltaDiscoveryRequest => {
    const request = transport.stream.requests.at(-1)
    assert.ok(request !== undefined)
    return request
  }

  it('subscribes to everything of each type', () => {
    client.start()
    client.start()
    const opening = transport.stream.requests.map(({ typeUrl, resourceNamesSubscribe }) => [
      typeUrl,
      resourceNamesSubscribe
    ])
    assert.deepEqual(opening, [
      [MESH.typeUrl, ['*']],
      [SERVICE.typeUrl, ['*']]
    ])
    assert.equal(transport.attempts, 1)
  })

  it('keeps what it is sent, says so, and acknowledges', () => {
    client.start()
    transport.stream.deliver(response('1', [service('cart'), service('till')]))
    assert.deepEqual(names(), ['shop/cart', 'shop/till'])
    assert.equal(client.messages(SERVICE).get('shop/cart')?.namespace, 'shop')
    assert.equal(changes, 1)
    assert.deepEqual([lastRequest().responseNonce, lastRequest().errorDetail], ['1', undefined])
  })

  it('acknowledges only after its listeners know', () => {
    let requests = 0
    client.start()
    client.subscribe(() => {
      requests = transport.stream.requests.length
    })
    transport.stream.deliver(response('1', [service('cart')]))
    assert.equal(transport.stream.requests.length, requests + 1)
  })

  it('changes and removes', () => {
    client.start()
    transport.stream.deliver(response('1', [service('cart'), service('till')]))
    const before = client.messages(SERVICE)
    transport.stream.deliver(response('2', [], { removedResources: ['shop/cart', 'shop/never'] }))
    assert.deepEqual(names(), ['shop/till'])
    assert.deepEqual([...before.keys()], ['shop/cart', 'shop/till'], 'what was handed out does not change')
  })

  it('says which types the server has answered for', () => {
    client.start()
    assert.deepEqual([client.synced(MESH), client.synced(SERVICE), client.connected], [false, false, false])
    assert.equal(client.current().types.has(SERVICE.typeUrl), false)
    transport.stream.deliver(response('1', []))
    assert.deepEqual([client.synced(MESH), client.synced(SERVICE), client.connected], [false, true, true])
    assert.equal(client.current().types.get(SERVICE.typeUrl)?.size, 0)
    assert.equal(changes, 1)
  })

  it('hands on what it was sent, byte by byte', () => {
    client.start()
    transport.stream.deliver(response('1', [service('cart')]))
    assert.deepEqual(client.current().types.get(SERVICE.typeUrl)?.get('shop/cart'), service('cart'))
  })

  it('does not call listeners when nothing changed', () => {
    client.start()
    transport.stream.deliver(response('1', [service('cart')]))
    transport.stream.deliver(response('2', []))
    transport.stream.deliver(response('3', [], { removedResources: ['shop/never'] }))
    assert.equal(changes, 1)
    assert.equal(lastRequest().responseNonce, '3')
  })

  it('does not call a listener that has gone', () => {
    client.start()
    let calls = 0
    client.subscribe(() => {
      calls += 1
    })()
    transport.stream.deliver(response('1', [service('cart')]))
    assert.equal(calls, 0)
  })

  describe('sent what cannot be used', () => {
    const good = service('cart')
    const refusals: [string, DeltaDiscoveryResponse, RegExp][] = [
      [
        'bytes that are no message',
        response('1', [good, { ...service('till'), value: Buffer.from([0xff]) }]),
        /^shop\/till: /
      ],
      [
        'a message that does not pass its check',
        response('1', [good, service('forbidden')]),
        /^shop\/forbidden: name is not allowed$/
      ],
      [
        'another type',
        response('1', [good, { ...service('till'), typeUrl: 'other' }]),
        /^shop\/till: its content is of type other/
      ],
      ['no name', response('1', [good, { ...service('till'), name: '' }]), /^: it has no name$/],
      [
        'no content',
        response('1', [], { resources: [...response('1', [good]).resources, { name: 'x', version: '1' }] }),
        /^x: it has no content$/
      ]
    ]
    for (const [what, sent, message] of refusals) {
      it(`refuses ${what} and keeps the rest`, () => {
        client.start()
        transport.stream.deliver(sent)
        assert.deepEqual(names(), ['shop/cart'])
        assert.equal(lastRequest().responseNonce, '1')
        assert.match(lastRequest().errorDetail?.message ?? '', message)
        assert.match(lines.join(''), /resources are refused/)
        assert.equal(client.synced(SERVICE), true)
      })
    }

    it('keeps what it had under the name of what it refuses', () => {
      client.start()
      transport.stream.deliver(response('1', [good]))
      transport.stream.deliver(response('2', [{ ...good, version: '2', value: Buffer.from([0xff]) }]))
      assert.equal(client.messages(SERVICE).get('shop/cart')?.name, 'cart')
      assert.equal(client.current().types.get(SERVICE.typeUrl)?.get('shop/cart')?.version, good.version)
      assert.equal(changes, 1)
    })

    it('refuses a type that it did not ask for', () => {
      client.start()
      transport.stream.deliver(response('1', [good], { typeUrl: 'other' }))
      assert.match(lastRequest().errorDetail?.message ?? '', /this type was not asked for/)
      assert.deepEqual([names(), changes], [[], 0])
    })

    it('bounds what it says and logs of many refusals', () => {
      client.start()
      const bad = Array.from({ length: 1000 }, (_, index) => ({ ...service(`s${index}`), value: Buffer.from([0xff]) }))
      transport.stream.deliver(response('1', bad))
      assert.ok((lastRequest().errorDetail?.message.length ?? 0) <= 2048)
      assert.ok(lines.join('').length < 5_000)
    })
  })

  describe('losing its stream', () => {
    it('keeps its state, comes back, and says what it has', async () => {
      client.start()
      transport.stream.deliver(response('1', [service('cart'), service('till')]))
      transport.stream.lose()
      assert.deepEqual([names(), client.connected, client.synced(SERVICE)], [['shop/cart', 'shop/till'], false, true])
      await clock.advance(500)
      assert.equal(transport.streams.length, 2)
      const [mesh, services] = transport.stream.requests
      assert.deepEqual({ ...mesh?.initialResourceVersions }, {})
      assert.deepEqual(
        { ...services?.initialResourceVersions },
        { 'shop/cart': service('cart').version, 'shop/till': service('till').version }
      )
      transport.stream.deliver(response('1', [], { removedResources: ['shop/till'] }))
      assert.deepEqual(names(), ['shop/cart'])
    })

    it('waits longer and longer, up to a limit, and starts over once it was answered', async () => {
      transport.down = true
      client.start()
      const waits: number[] = []
      for (let attempt = 1; attempt <= 8; attempt++) {
        const before = clock.now()
        while (transport.attempts === attempt) await clock.advance(250)
        waits.push(clock.now() - before)
      }
      assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000])
      transport.down = false
      await clock.advance(15_000)
      transport.stream.deliver(response('1', []))
      transport.stream.lose()
      const before = transport.attempts
      await clock.advance(500)
      assert.equal(transport.attempts, before + 1)
    })

    it('does not start over because a connection was accepted and dropped', async () => {
      client.start()
      for (const wait of [500, 1000, 2000]) {
        const before = transport.attempts
        transport.stream.lose()
        await clock.advance(wait - 1)
        assert.equal(transport.attempts, before)
        await clock.advance(1)
        assert.equal(transport.attempts, before + 1)
      }
    })

    it('gives up a stream on which nothing comes, and is more patient each time until something does', async () => {
      client.start()
      const patience: number[] = []
      for (const wait of [500, 1000, 2000, 4000]) {
        const before = clock.now()
        const { stream } = transport
        while (stream.open) await clock.advance(1000)
        patience.push(clock.now() - before)
        assert.equal(client.connected, false)
        await clock.advance(wait)
        assert.equal(transport.stream.open, true)
      }
      assert.deepEqual(patience, [10_000, 20_000, 40_000, 60_000])
      assert.match(lines.join(''), /no answer within 10 s/)
      transport.stream.deliver(response('1', []))
      await clock.advance(3_600_000)
      assert.equal(transport.stream.open, true, 'whoever has answered may be silent')
      transport.stream.lose()
      await clock.advance(500)
      await clock.advance(10_000)
      assert.equal(transport.stream.open, false)
    })

    it('spreads the waits', async () => {
      random = 0
      client.start()
      transport.stream.lose()
      await clock.advance(249)
      assert.equal(transport.attempts, 1)
      await clock.advance(1)
      assert.equal(transport.attempts, 2)
    })

    it('ignores what a lost stream still delivers', async () => {
      client.start()
      const lost = transport.stream
      lost.lose()
      lost.deliver(response('1', [service('cart')]))
      lost.lose()
      assert.deepEqual([names(), clock.pending], [[], 1])
      await clock.advance(500)
      lost.deliver(response('1', [service('cart')]))
      assert.deepEqual([names(), transport.streams.length], [[], 2])
    })

    it('warns when it never got an answer, and merely notes the end of a stream that worked', () => {
      const levels = (): string[] => lines.map(line => JSON.parse(line).level)
      client.start()
      transport.stream.lose()
      assert.deepEqual(levels(), ['warn'])
      make()
      client.start()
      transport.stream.deliver(response('1', []))
      transport.stream.lose()
      assert.deepEqual(levels(), ['info'])
    })
  })

  describe('closed', () => {
    it('closes its stream and opens no other', async () => {
      client.start()
      const { stream } = transport
      client.close()
      assert.equal(stream.open, false)
      stream.lose()
      await clock.advance(60_000)
      assert.deepEqual([transport.attempts, clock.pending], [1, 0])
    })

    it('stops waiting', async () => {
      transport.down = true
      client.start()
      client.close()
      client.start()
      await clock.advance(60_000)
      assert.deepEqual([transport.attempts, clock.pending], [1, 0])
    })

    it('may be closed by a listener', () => {
      client.start()
      client.subscribe(() => client.close())
      transport.stream.deliver(response('1', [service('cart')]))
      assert.equal(transport.stream.open, false)
    })
  })

  describe('made with what was kept in an earlier life', () => {
    const kept = [
      service('cart'),
      { ...service('till'), value: Buffer.from([0xff]) },
      { ...service('x'), typeUrl: 'other' }
    ]
    beforeEach(() => make({ restored: kept }))

    it('knows it at once, without what cannot be read, and is not synced', () => {
      assert.deepEqual(names(), ['shop/cart'])
      assert.deepEqual([...client.current().types.keys()], [SERVICE.typeUrl])
      assert.equal(client.synced(SERVICE), false)
    })

    it('resumes with it', () => {
      client.start()
      const versions = transport.stream.requests[1]?.initialResourceVersions
      assert.deepEqual({ ...versions }, { 'shop/cart': service('cart').version })
    })
  })

  it('refuses types that are given twice, and questions about others', () => {
    assert.throws(() => make({ types: [MESH, MESH] }), TypeError)
    make({ types: [MESH] })
    assert.throws(() => client.messages(SERVICE), TypeError)
  })

  it('reads each resource as what its type says', () => {
    client.start()
    transport.stream.deliver(response('1', [service('cart')]))
    const cart: Service | undefined = client.messages(SERVICE).get('shop/cart')
    assert.equal(cart?.name, 'cart')
  })
})
