import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { create } from '@bufbuild/protobuf'
import {
  type Arbitrary,
  array,
  assert as assertProperty,
  constant,
  constantFrom,
  dictionary,
  oneof,
  property,
  record
} from 'fast-check'
import { DeltaDiscoveryRequestSchema } from '../proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { DEFAULT_LIMITS, DeltaServer, type Snapshot, singlePushOrder, WILDCARD } from './index.ts'
import { recordEvents, snapshot } from './xds.test-support.ts'

const TYPE_URL = 'apples'
const names = constantFrom('a', 'b', 'c', WILDCARD)

const steps = array(
  oneof(
    record({
      kind: constant('change' as const),
      versions: dictionary(constantFrom('a', 'b', 'c', 'd'), constantFrom('1', '2'))
    }),
    record({ kind: constant('subscribe' as const), names: array(names, { minLength: 1, maxLength: 3 }) }),
    record({ kind: constant('unsubscribe' as const), names: array(names, { minLength: 1, maxLength: 3 }) }),
    record({ kind: constant('pull' as const), responses: constantFrom(1, 2) })
  ),
  { maxLength: 40 }
)
type Step = typeof steps extends Arbitrary<(infer Element)[]> ? Element : never

describe('a client that changes its mind', () => {
  it('ends up with exactly what it wants and exists, and an answer for what does not', () =>
    assertProperty(property(array(names, { minLength: 1, maxLength: 3 }), steps, play), { numRuns: 2_000 }))
})

function play(first: readonly string[], script: readonly Step[]): void {
  const order = singlePushOrder(TYPE_URL)
  const server = new DeltaServer({ order, singleType: true, limits: DEFAULT_LIMITS, events: recordEvents([]) })
  let state: Snapshot = snapshot({ [TYPE_URL]: { a: '1', b: '1' } })
  // The client: what it wants, and what it was told. Undefined: that there is no such resource.
  const wanted = new Set<string>()
  const told = new Map<string, string | undefined>()

  const pull = (most: number): number => {
    let pulled = 0
    for (; pulled < most; pulled++) {
      const response = server.next(state)
      if (response === undefined) break
      assert.ok(
        response.resources.length + response.removedResources.length > 0 || wanted.has(WILDCARD),
        'nothing is said'
      )
      for (const { name, version } of response.resources) told.set(name, version)
      for (const name of response.removedResources) told.set(name, undefined)
    }
    return pulled
  }
  const subscribe = (subscribed: readonly string[]): void => {
    for (const name of subscribed) wanted.add(name)
    server.receive(create(DeltaDiscoveryRequestSchema, { resourceNamesSubscribe: [...subscribed] }))
  }
  const unsubscribe = (left: readonly string[]): void => {
    for (const name of left) wanted.delete(name)
    if (!wanted.has(WILDCARD)) for (const name of told.keys()) if (!wanted.has(name)) told.delete(name)
    server.receive(create(DeltaDiscoveryRequestSchema, { resourceNamesUnsubscribe: [...left] }))
  }

  subscribe(first)
  for (const step of script) {
    if (step.kind === 'change') state = snapshot({ [TYPE_URL]: step.versions })
    else if (step.kind === 'subscribe') subscribe(step.names)
    else if (step.kind === 'unsubscribe') unsubscribe(step.names)
    else pull(step.responses)
  }
  assert.ok(pull(1000) < 1000, 'the server never comes to rest')

  const map = state.types.get(TYPE_URL) ?? new Map()
  const covered = wanted.has(WILDCARD) ? new Set([...wanted, ...map.keys()]) : wanted
  for (const name of covered) {
    if (name === WILDCARD) continue
    assert.ok(told.has(name), `${name} was never answered`)
    assert.equal(told.get(name), map.get(name)?.version, `${name} is out of date`)
  }
  for (const [name, version] of told) {
    if (version !== undefined) assert.ok(covered.has(name) && map.has(name), `${name} should not be there`)
  }
}
