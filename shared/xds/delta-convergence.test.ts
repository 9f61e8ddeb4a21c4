import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  array,
  assert as assertProperty,
  asyncProperty,
  constant,
  constantFrom,
  dictionary,
  oneof,
  record
} from 'fast-check'
import { FakeClock } from '../../test/fakes/clock.ts'
import { FakeDiscoveryTransport } from '../../test/fakes/discovery-transport.ts'
import { createLogger } from '../log/index.ts'
import {
  DEFAULT_LIMITS,
  DeltaServer,
  DiscoveryClient,
  type PushOrder,
  type ResourceType,
  type Snapshot
} from './index.ts'
import { type Content, recordEvents, snapshot } from './xds.test-support.ts'

const RUNS = 500
const BACKOFF_MS = 10
const TYPES = ['apples', 'pears']
const ORDER: PushOrder = { updates: TYPES, removals: [...TYPES].reverse() }
// Version 3 is one that the client cannot read.
const types: ResourceType<string>[] = TYPES.map(typeUrl => ({
  typeUrl,
  decode(value) {
    const text = Buffer.from(value).toString()
    if (text.endsWith('=3')) throw new Error('not readable')
    return text
  }
}))

type Step =
  | { readonly kind: 'change'; readonly content: Content }
  | { readonly kind: 'lose' }
  | { readonly kind: 'deliver'; readonly responses: number }

const versions = dictionary(constantFrom('a', 'b', 'c', 'd'), constantFrom('1', '2', '3'))
const steps = array(
  oneof(
    record({ kind: constant('change' as const), content: record({ apples: versions, pears: versions }) }),
    record({ kind: constant('lose' as const) }),
    record({ kind: constant('deliver' as const), responses: constantFrom(1, 2, 3) })
  ),
  { maxLength: 30 }
)

describe('a delta client and a delta server', () => {
  it('come to agree, whatever changes, gets lost or cannot be read on the way', async () => {
    await assertProperty(asyncProperty(steps, play), { numRuns: RUNS })
  })
})

async function play(script: readonly Step[]): Promise<void> {
  const clock = new FakeClock()
  const transport = new FakeDiscoveryTransport()
  const log = createLogger('test', 'fatal', { write: () => {} })
  const client = new DiscoveryClient({
    types,
    transport,
    clock,
    random: () => 0,
    log,
    backoff: { firstMs: BACKOFF_MS, longestMs: BACKOFF_MS }
  })
  const events: string[] = []
  let server = new DeltaServer({
    order: ORDER,
    singleType: false,
    limits: DEFAULT_LIMITS,
    events: recordEvents(events)
  })
  let read = 0
  let state: Snapshot = snapshot({ apples: {}, pears: {} })
  // The last version of each name that could be read, which is what a client must have.
  const expected = new Map(TYPES.map(type => [type, new Map<string, string>()]))

  const deliver = (most: number): number => {
    let delivered = 0
    for (; delivered < most; delivered++) {
      const { requests } = transport.stream
      for (const request of requests.slice(read)) server.receive(request)
      read = requests.length
      const response = server.next(state)
      if (response === undefined) break
      const held = expected.get(response.typeUrl)
      for (const { name, version } of response.resources) if (version !== '3') held?.set(name, version)
      for (const name of response.removedResources) held?.delete(name)
      transport.stream.deliver(response)
    }
    return delivered
  }
  const reconnect = async (): Promise<void> => {
    transport.stream.lose()
    await clock.advance(BACKOFF_MS)
    server = new DeltaServer({ order: ORDER, singleType: false, limits: DEFAULT_LIMITS, events: recordEvents(events) })
    read = 0
  }

  client.start()
  for (const step of script) {
    if (step.kind === 'change') state = snapshot(step.content)
    else if (step.kind === 'lose') await reconnect()
    else deliver(step.responses)
  }
  assert.ok(deliver(1000) < 1000, 'they never come to rest')
  for (const type of types) {
    const map = state.types.get(type.typeUrl)
    const has = client.current().types.get(type.typeUrl)
    for (const [name, { version }] of map ?? []) {
      if (version !== '3') assert.equal(has?.get(name)?.version, version, `${name} is out of date`)
    }
    for (const name of has?.keys() ?? []) assert.ok(map?.has(name), `${name} should be gone`)
    const shown = [...(has ?? [])].map(([name, { version }]) => [name, version]).sort()
    assert.deepEqual(shown, [...(expected.get(type.typeUrl) ?? [])].sort())
  }
  client.close()
}
