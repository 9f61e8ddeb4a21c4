import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Exclusions, NO_EXCLUSIONS } from '../../shared/exclusions/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import { type Snapshot, type SnapshotSource, TYPE } from '../../shared/xds/index.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { CaptureGate } from './index.ts'

const silent = createLogger('test', 'fatal')

/** A pod that has everything, and somebody who captures when told to. */
class World {
  readonly clock = new FakeClock()
  readonly applied: string[] = []
  readonly exclusions: Exclusions[] = []
  readonly volumes = new Map([['a', { attributes: {} as Record<string, string> }]])
  snapshot: Snapshot = {
    types: new Map([
      [TYPE.listener, new Map()],
      [TYPE.cluster, new Map()],
      [TYPE.endpoint, new Map()]
    ])
  }
  readonly changed = new Set<() => void>()
  answer: () => Promise<void> = async () => {}

  readonly pods = {
    sourceFor: (peer: string): SnapshotSource | undefined =>
      peer === 'pod:a'
        ? {
            current: () => this.snapshot,
            subscribe: listener => {
              this.changed.add(listener)
              return () => this.changed.delete(listener)
            }
          }
        : undefined
  }

  readonly gate = new CaptureGate({
    capture: {
      apply: (podUid, exclusions) => {
        this.applied.push(podUid)
        this.exclusions.push(exclusions)
        return this.answer()
      }
    },
    volumes: { current: () => this.volumes },
    clock: this.clock,
    random: () => 0,
    log: silent
  })

  open(): SnapshotSource {
    const source = this.gate.sourceFor('pod:a', this.pods)
    assert.ok(source)
    return source
  }
}

const types = (source: SnapshotSource): string[] => [...source.current().types.keys()]
const REFUSED = (): Promise<void> => Promise.reject(new Error('no'))

describe('the gate of capture', () => {
  it('withholds listeners and clusters, and nothing else, until the rules are in place', async () => {
    const world = new World()
    const done = Promise.withResolvers<void>()
    world.answer = () => done.promise
    const source = world.open()
    let told = 0
    source.subscribe(() => {
      told++
    })
    assert.deepEqual(types(source), [TYPE.endpoint])
    done.resolve()
    await world.clock.advance(0)
    assert.deepEqual(types(source), [TYPE.listener, TYPE.cluster, TYPE.endpoint])
    assert.equal(told, 1)
    assert.deepEqual(world.applied, ['a'])
  })

  it('asks again when the rules could not be put in place, with growing pauses', async () => {
    const world = new World()
    world.answer = REFUSED
    const source = world.open()
    source.subscribe(() => {})
    await world.clock.advance(10_000)
    assert.deepEqual(types(source), [TYPE.endpoint])
    assert.ok(world.applied.length >= 5 && world.applied.length <= 30, `asked ${world.applied.length} times in 10 s`)
    world.answer = async () => {}
    await world.clock.advance(2_000)
    assert.deepEqual(types(source), [TYPE.listener, TYPE.cluster, TYPE.endpoint])
  })

  it('stops asking when the stream has ended', async () => {
    const world = new World()
    world.answer = REFUSED
    const end = world.open().subscribe(() => {})
    await world.clock.advance(1_000)
    end()
    const asked = world.applied.length
    await world.clock.advance(60_000)
    assert.equal(world.applied.length, asked)
    assert.equal(world.changed.size, 0)
    assert.equal(world.clock.pending, 0)
  })

  it('asks anew for every stream: the pod may have another network namespace by now', async () => {
    const world = new World()
    world.open().subscribe(() => {})
    await world.clock.advance(0)
    const second = world.open()
    assert.deepEqual(types(second), [TYPE.endpoint])
    second.subscribe(() => {})
    await world.clock.advance(0)
    assert.deepEqual(world.applied, ['a', 'a'])
    assert.deepEqual(types(second), [TYPE.listener, TYPE.cluster, TYPE.endpoint])
  })

  it('passes on what changes meanwhile', async () => {
    const world = new World()
    world.answer = REFUSED
    const source = world.open()
    let told = 0
    source.subscribe(() => {
      told++
    })
    world.snapshot = { types: new Map([[TYPE.secret, new Map()]]) }
    for (const listener of world.changed) listener()
    assert.equal(told, 1)
    assert.deepEqual(types(source), [TYPE.secret])
    assert.equal(source.current(), source.current(), 'an unchanged snapshot is the same object')
  })

  it('asks for what the volume of the pod excludes, every time', async () => {
    const world = new World()
    const attributes = {
      'countersign.dev/exclude-inbound-ports': '9100',
      'countersign.dev/exclude-interfaces': 'net1',
      'countersign.dev/application-address': '10.0.0.1'
    }
    world.volumes.set('a', { attributes })
    world.answer = REFUSED
    world.open().subscribe(() => {})
    await world.clock.advance(100)
    const expected = { ...NO_EXCLUSIONS, inboundPorts: [9100], interfaces: ['net1'] }
    assert.ok(world.exclusions.length >= 2)
    for (const exclusions of world.exclusions) assert.deepEqual(exclusions, expected)
  })

  it('asks for no exclusion that nobody asked for', async () => {
    const world = new World()
    world.open().subscribe(() => {})
    await world.clock.advance(0)
    assert.deepEqual(world.exclusions, [NO_EXCLUSIONS])
  })

  it('knows nobody whose volume is gone: what it excluded is not known any more', () => {
    const world = new World()
    world.volumes.clear()
    assert.equal(world.gate.sourceFor('pod:a', world.pods), undefined)
    assert.deepEqual(world.applied, [])
  })

  it('knows nobody whom the node does not know', () => {
    const world = new World()
    assert.equal(world.gate.sourceFor('pod:b', world.pods), undefined)
    assert.deepEqual(world.applied, [])
  })
})
