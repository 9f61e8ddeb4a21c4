import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { FakeApiServer, status } from '../../shared/kube/api-server.test-support.ts'
import { COLLECTIONS, collectionPath, OWN_LABELS } from '../../shared/kube/index.ts'
import { clientOf, recordingLogger } from '../../shared/kube/kube.test-support.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { LeaderElector } from './index.ts'
import { Cluster, Machine, type Network } from './machines.test-support.ts'

const LEASES = collectionPath(COLLECTIONS.leases)
const SYSTEM = 'countersign-system'
const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

interface Pair {
  readonly cluster: Cluster
  readonly a: Machine
  readonly b: Machine
  /** Lets time pass, and looks all the while that no two lead. */
  readonly pass: (ms: number) => Promise<void>
}

/** Two machines, of which the first leads. */
async function pair(): Promise<Pair> {
  const cluster = new Cluster()
  const [a, b] = [new Machine(cluster, 'a'), new Machine(cluster, 'b')]
  const pass = (ms: number): Promise<void> => watch(cluster, [a, b], ms)
  a.start()
  await pass(20_000)
  assert.ok(a.leads)
  b.start()
  await pass(20_000)
  assert.deepEqual([a.leads, b.leads], [true, false])
  return { cluster, a, b, pass }
}

async function watch(cluster: Cluster, machines: readonly Machine[], ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 250) {
    await cluster.clock.advance(Math.min(left, 250))
    const leaders = machines.filter(({ leads }) => leads).map(({ name }) => name)
    assert.ok(leaders.length <= 1, `${leaders.join(' and ')} lead at once`)
  }
}

const specOf = (cluster: Cluster) => cluster.lease?.['spec'] as Record<string, unknown>

describe('a leader', () => {
  it('stays for as long as it can renew', async () => {
    const { cluster, a, b, pass } = await pair()
    const { leaseTransitions, acquireTime, renewTime } = specOf(cluster)
    await pass(120_000)
    assert.deepEqual([a.leads, b.leads], [true, false])
    assert.deepEqual(
      [specOf(cluster)['leaseTransitions'], specOf(cluster)['acquireTime']],
      [leaseTransitions, acquireTime]
    )
    assert.ok(String(specOf(cluster)['renewTime']) > String(renewTime))
  })

  const troubles: Readonly<Record<string, Partial<Network>>> = {
    'nothing of it arrives': { requestsLost: true },
    'no answer comes': { answersLost: true },
    'the API server fails': { failing: true },
    'answers take longer than it may wait': { delayMs: 6_000 }
  }
  for (const [what, network] of Object.entries(troubles))
    it(`stops within 10 s when ${what}, before another begins`, async () => {
      const { a, b, pass } = await pair()
      a.trouble(network)
      await pass(10_000)
      assert.equal(a.leads, false)
      await pass(25_000)
      assert.equal(b.leads, true)
      a.trouble({})
      await pass(25_000)
      assert.equal([a, b].filter(({ leads }) => leads).length, 1)
    })

  it('stays when answers are slow, but not too slow', async () => {
    const { a, pass } = await pair()
    a.trouble({ delayMs: 2_000 })
    for (let time = 0; time < 240; time++) {
      await pass(250)
      assert.ok(a.leads)
    }
  })

  it('that was suspended knows in its first moment that it leads no more', async () => {
    const { a, b, pass } = await pair()
    let aborted = false
    void a.start().whileLeader(async signal => {
      signal.addEventListener('abort', () => {
        aborted = true
      })
    })
    a.suspend()
    await pass(25_000)
    assert.ok(b.leads)
    assert.equal(aborted, false, 'a suspended process does nothing')
    a.resume()
    assert.equal(a.leads, false)
    assert.equal(aborted, true)
    await pass(30_000)
    assert.deepEqual([a.leads, b.leads], [false, true])
  })

  it('that was suspended for a moment leads on', async () => {
    const { a, pass } = await pair()
    a.suspend()
    await pass(5_000)
    a.resume()
    await pass(30_000)
    assert.ok(a.leads)
  })

  it('stops when its wall clock jumps ahead, for it may have been suspended', async () => {
    const { a, b, pass } = await pair()
    a.setWallClock(3_600_000)
    assert.equal(a.leads, false)
    await pass(10_000)
    assert.deepEqual([a.leads, b.leads], [true, false], 'its next renewal brings it back')
  })

  it('does not believe to lead for longer because its wall clock was set back', async () => {
    const { a, b, pass } = await pair()
    a.trouble({ requestsLost: true })
    a.setWallClock(-3_600_000)
    await pass(10_000)
    assert.equal(a.leads, false)
    await pass(20_000)
    assert.ok(b.leads)
  })

  it('that shuts down lets another in at once, after its tasks have ended', async () => {
    const { cluster, a, b, pass } = await pair()
    const order: string[] = []
    void a.start().whileLeader(async signal => {
      await new Promise(resolve => signal.addEventListener('abort', resolve))
      order.push(`ended, the lease is still held by ${specOf(cluster)['holderIdentity']}`)
    })
    await pass(250)
    const before = Number(specOf(cluster)['leaseTransitions'])
    const closed = a.shutDown()
    await pass(5_000)
    await closed
    assert.deepEqual(order, ['ended, the lease is still held by a_1'])
    assert.ok(b.leads)
    assert.equal(specOf(cluster)['leaseTransitions'], before + 1)
  })

  it('that shuts down without a network does not wait for it', async () => {
    const { a, b, pass } = await pair()
    a.trouble({ requestsLost: true })
    const closed = a.shutDown()
    await pass(6_000)
    await closed
    await pass(20_000)
    assert.ok(b.leads)
  })

  it('that crashed is followed after the lease has run out', async () => {
    const { a, b, pass } = await pair()
    a.crash()
    await pass(12_000)
    assert.equal(b.leads, false)
    await pass(8_000)
    assert.ok(b.leads)
    a.start()
    await pass(30_000)
    assert.deepEqual([a.leads, b.leads], [false, true])
  })

  it('whose lease is deleted stops before another makes a new one', async () => {
    const { cluster, a, b, pass } = await pair()
    cluster.delete()
    await pass(5_000)
    assert.deepEqual([a.leads, b.leads], [false, false])
    await pass(20_000)
    assert.equal([a, b].filter(({ leads }) => leads).length, 1)
  })
})

describe('who waits', () => {
  it('is not misled by a wall clock that jumps ahead', async () => {
    const { a, b, pass } = await pair()
    b.setWallClock(3_600_000)
    await pass(10_000)
    assert.deepEqual([a.leads, b.leads], [true, false])
  })

  it('waits as long as the holder said, also when that is longer than its own time', async () => {
    const { cluster, a, b, pass } = await pair()
    a.crash()
    const spec = { ...specOf(cluster), leaseDurationSeconds: 40 }
    cluster.replace({ ...cluster.get(), spec })
    await pass(35_000)
    assert.equal(b.leads, false)
    await pass(15_000)
    assert.ok(b.leads)
  })

  it('leaves what others wrote into the Lease', async () => {
    const { cluster, a, b, pass } = await pair()
    a.crash()
    const lease = cluster.get()
    cluster.replace({
      ...lease,
      metadata: { ...lease.metadata, annotations: { a: 'b' } },
      spec: { ...specOf(cluster), strategy: 'x' }
    })
    await pass(25_000)
    assert.ok(b.leads)
    assert.equal(specOf(cluster)['strategy'], 'x')
    assert.deepEqual((cluster.get().metadata as Record<string, unknown>)['annotations'], { a: 'b' })
  })
})

describe('a task of the leader', () => {
  it('runs once for each time of leading, and is told when that ends', async () => {
    const { a, b, pass } = await pair()
    const told: string[] = []
    for (const machine of [a, b])
      void machine.start().whileLeader(async signal => {
        told.push(`${machine.name} begins`)
        await new Promise(resolve => signal.addEventListener('abort', resolve))
        told.push(`${machine.name} ends`)
      })
    a.trouble({ requestsLost: true })
    await pass(30_000)
    a.trouble({})
    b.crash()
    await pass(30_000)
    assert.deepEqual(told, ['a begins', 'a ends', 'b begins', 'a begins'])
  })

  it('begins anew only when its last run has ended', async () => {
    const { a, b, pass } = await pair()
    b.crash()
    let running = 0
    const ends: (() => void)[] = []
    void a.start().whileLeader(async () => {
      assert.equal(++running, 1)
      await new Promise<void>(resolve => ends.push(resolve))
      running--
    })
    a.trouble({ requestsLost: true })
    await pass(15_000)
    a.trouble({})
    await pass(20_000)
    assert.ok(a.leads)
    assert.equal(ends.length, 1)
    ends[0]?.()
    await pass(250)
    assert.equal(ends.length, 2)
    ends[1]?.()
  })

  it('is ended, and waited for, when it is taken back', async () => {
    const { a, pass } = await pair()
    let ended = false
    const stop = a.start().whileLeader(async signal => {
      await new Promise(resolve => signal.addEventListener('abort', resolve))
      ended = true
    })
    await pass(250)
    await stop()
    assert.equal(ended, true)
    assert.ok(a.leads)
  })

  it('that fails ends nothing else', async () => {
    const { a, pass } = await pair()
    let other = false
    void a.start().whileLeader(() => Promise.reject(new Error('broken')))
    void a.start().whileLeader(async () => {
      other = true
    })
    await pass(30_000)
    assert.ok(a.leads)
    assert.ok(other)
  })
})

type Act = (machine: Machine, cluster: Cluster, amount: number) => unknown

const ACTS: Readonly<Record<string, Act>> = {
  start: machine => machine.start(),
  crash: machine => machine.crash(),
  'shut down': machine => void machine.shutDown(),
  suspend: machine => machine.suspend(),
  resume: machine => machine.resume(),
  'set the wall clock ahead': (machine, _cluster, amount) => machine.setWallClock(amount),
  'set the wall clock back': (machine, _cluster, amount) => machine.setWallClock(-amount),
  'lose requests': machine => machine.trouble({ requestsLost: true }),
  'lose answers': machine => machine.trouble({ answersLost: true }),
  'be slow': (machine, _cluster, amount) => machine.trouble({ delayMs: amount }),
  fail: machine => machine.trouble({ failing: true }),
  'be well': machine => machine.trouble({})
}

describe('whatever happens', () => {
  it('no two lead at once, and one does in the end', async () => {
    const step = fc.record({
      act: fc.constantFrom(...Object.keys(ACTS)),
      on: fc.nat(2),
      amount: fc.integer({ min: 0, max: 20_000 }),
      thenMs: fc.oneof(fc.integer({ min: 0, max: 4_000 }), fc.integer({ min: 0, max: 25_000 }))
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 14 }), fc.integer(), async (steps, seed) => {
        const random = pseudoRandom(seed)
        const cluster = new Cluster()
        const machines = ['a', 'b', 'c'].map(name => new Machine(cluster, name, random))
        for (const machine of machines) machine.start()
        await watch(cluster, machines, 18_000)
        for (const { act, on, amount, thenMs } of steps) {
          const machine = machines[on]
          assert.ok(machine)
          ACTS[act]?.(machine, cluster, amount)
          await watch(cluster, machines, thenMs)
        }
        for (const machine of machines) {
          machine.resume()
          machine.trouble({})
          machine.start()
        }
        await watch(cluster, machines, 60_000)
        assert.equal(machines.filter(({ leads }) => leads).length, 1)
      }),
      { numRuns: 60 }
    )
  })
})

/** Numbers that follow from a seed: mulberry32. */
function pseudoRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

describe('with an API server', () => {
  async function candidate(server: FakeApiServer, identity: string) {
    const clock = new FakeClock()
    const client = await clientOf(server, clock)
    closers.push(() => client.close())
    const { log, lines } = recordingLogger()
    const elector = new LeaderElector({
      client,
      namespace: SYSTEM,
      leaseName: 'countersign-authority',
      identity,
      clock,
      monotonic: () => clock.now(),
      random: () => 0,
      log
    })
    closers.push(() => elector.close())
    const until = (condition: () => boolean, what: string): Promise<void> =>
      eventually(async () => {
        await clock.advance(500)
        return condition()
      }, what)
    return { elector, clock, lines, until }
  }

  async function started(): Promise<FakeApiServer> {
    const server = await FakeApiServer.start()
    closers.push(() => server.close())
    return server
  }
  const lease = (server: FakeApiServer) => server.find(LEASES, 'countersign-authority', SYSTEM)
  const spec = (server: FakeApiServer): Record<string, unknown> =>
    (lease(server)?.['spec'] ?? {}) as Record<string, unknown>

  it('a Lease is made as Kubernetes has them, held, released and taken over', async () => {
    const server = await started()
    const first = await candidate(server, 'first')
    const changes: boolean[] = []
    first.elector.subscribe(leader => changes.push(leader))
    await first.until(() => first.elector.isLeader, 'the first leader')
    const made = spec(server)
    assert.deepEqual([made['holderIdentity'], made['leaseDurationSeconds']], ['first', 15])
    for (const time of ['acquireTime', 'renewTime'])
      assert.match(String(made[time]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
    assert.deepEqual(lease(server)?.metadata['labels'], OWN_LABELS)

    const second = await candidate(server, 'second')
    await second.until(() => second.lines.some(({ holder }) => holder === 'first'), 'word of the first')
    await first.elector.close()
    assert.equal(spec(server)['holderIdentity'], '')
    await second.until(() => second.elector.isLeader, 'the second leader')
    const taken = spec(server)
    assert.deepEqual(
      [taken['holderIdentity'], taken['leaseDurationSeconds'], taken['leaseTransitions']],
      ['second', 15, 1]
    )
    assert.deepEqual([first.elector.isLeader, changes], [false, [true, false]])
    await first.elector.close()
  })

  it('is renewed with one request, and told of only when something changes', async () => {
    const server = await started()
    const { elector, clock, lines, until } = await candidate(server, 'one')
    await until(() => elector.isLeader, 'the leader')
    const before = server.requests.length
    const lineCount = lines.length
    const renewed = (): number => server.requests.length - before
    await until(() => renewed() >= 5, 'renewals')
    assert.deepEqual(new Set(server.requests.slice(before).map(({ method }) => method)), new Set(['PUT']))
    assert.equal(lines.length, lineCount)
    await elector.close()
    assert.equal(clock.pending, 0)
  })

  it('that forbids it, nobody leads, which is told once', async () => {
    const server = await started()
    server.intercept = (_request, response) => {
      status(response, 403, 'Forbidden')
      return true
    }
    const { elector, lines, until } = await candidate(server, 'one')
    await until(() => server.requests.length > 5, 'attempts')
    assert.equal(elector.isLeader, false)
    assert.equal(lines.filter(({ level }) => level === 'warn').length, 1)
  })

  it('a Lease is given up when somebody else writes it meanwhile', async () => {
    const server = await started()
    const { elector, until } = await candidate(server, 'one')
    await until(() => elector.isLeader, 'the leader')
    server.put(LEASES, { ...lease(server), spec: { ...spec(server), holderIdentity: 'somebody' } })
    await until(() => !elector.isLeader, 'the end of its leading')
    assert.equal(spec(server)['holderIdentity'], 'somebody')
  })
})
