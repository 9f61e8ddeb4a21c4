import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { FakeApiServer, status } from '../../shared/kube/api-server.test-support.ts'
import { COLLECTIONS, collectionPath } from '../../shared/kube/index.ts'
import { clientOf, recordingLogger } from '../../shared/kube/kube.test-support.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { FakeLeadership } from '../../test/fakes/leadership.ts'
import { StatusWriter } from './index.ts'
import type { Condition, ObjectStatus } from './policy-status.ts'

const POLICIES = collectionPath(COLLECTIONS.peerAuthentications)
const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const policy = (name: string, generation = 1, rest: object = {}) => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: { name, namespace: 'shop', generation },
  spec: { mtls: { mode: 'STRICT' } },
  ...rest
})

const accepted: Condition = { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'the policy is valid' }
const selects = (message: string): Condition => ({
  type: 'WorkloadsSelected',
  status: 'True',
  reason: 'WorkloadsSelected',
  message
})
const wantedOf = (name: string, conditions: readonly Condition[] = [accepted], generation = 1): ObjectStatus => ({
  kind: 'PeerAuthentication',
  namespace: 'shop',
  name,
  generation,
  conditions
})

async function cluster(...policies: readonly object[]): Promise<FakeApiServer> {
  const server = await FakeApiServer.start()
  closers.push(() => server.close())
  server.missing.add(collectionPath(COLLECTIONS.requestAuthentications))
  server.missing.add(collectionPath(COLLECTIONS.endUserAuthentications))
  server.missing.add(collectionPath(COLLECTIONS.services))
  for (const object of policies) server.put(POLICIES, object)
  return server
}

async function writing(server: FakeApiServer) {
  const clock = new FakeClock()
  const client = await clientOf(server, clock)
  closers.push(() => client.close())
  const { log, lines } = recordingLogger()
  const leadership = new FakeLeadership()
  const writer = new StatusWriter({ client, leadership, clock, random: () => 0.5, log })
  closers.push(() => writer.close())
  const until = (condition: () => boolean, what: string): Promise<void> =>
    eventually(async () => {
      await clock.advance(50)
      return condition()
    }, what)
  /** Time in which something would happen that must not: of the clock, and of real connections. */
  const quiet = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 100) await clock.advance(100)
    await new Promise(resolve => setTimeout(resolve, 30))
    await clock.advance(0)
  }
  const watched = (): Promise<void> => until(() => server.watches > 0, 'the watch')
  return { writer, leadership, clock, lines, until, quiet, watched }
}

const writes = (server: FakeApiServer): readonly string[] =>
  server.requests.filter(({ method }) => method !== 'GET').map(({ method, path }) => `${method} ${path}`)
const conditionsOf = (server: FakeApiServer, name = 'a'): readonly Record<string, unknown>[] =>
  ((server.find(POLICIES, name, 'shop')?.['status'] ?? {}) as { conditions?: Record<string, unknown>[] }).conditions ??
  []
const messageOf = (server: FakeApiServer, type: string): unknown =>
  conditionsOf(server).find(condition => condition['type'] === type)?.['message']

describe('the status of a policy', () => {
  it('is written by the leader, with the time and the generation', async () => {
    const server = await cluster(policy('a', 3))
    const { writer, leadership, until, quiet } = await writing(server)
    writer.want(() => [wantedOf('a', [accepted], 3)])
    await quiet(500)
    assert.deepEqual(server.requests, [], 'nobody asks for anything before')
    leadership.lead()
    await until(() => conditionsOf(server).length > 0, 'the status')
    const [condition] = conditionsOf(server)
    assert.match(String(condition?.['lastTransitionTime']), /^2026-01-01T00:00:\d\dZ$/)
    assert.deepEqual(
      { ...condition, lastTransitionTime: 'x' },
      {
        ...accepted,
        observedGeneration: 3,
        lastTransitionTime: 'x'
      }
    )
    assert.deepEqual(server.find(POLICIES, 'a', 'shop')?.['spec'], { mtls: { mode: 'STRICT' } })
    await quiet(30_000)
    assert.deepEqual(writes(server), [`PATCH ${POLICIES.replace('/v1/', '/v1/namespaces/shop/')}/a/status`])
  })

  it('is not written when the leader before has written it', async () => {
    const server = await cluster(policy('a'))
    const first = await writing(server)
    first.writer.want(() => [wantedOf('a')])
    first.leadership.lead()
    await first.until(() => writes(server).length === 1, 'the status')
    await first.leadership.lose()
    const second = await writing(server)
    second.writer.want(() => [wantedOf('a')])
    second.leadership.lead()
    await second.watched()
    await second.quiet(20_000)
    assert.equal(writes(server).length, 1)
  })

  it('leaves the conditions of others, and everything else, as they are', async () => {
    const other = { type: 'Reconciled', status: 'True', lastTransitionTime: '2020-01-01T00:00:00Z', more: 1 }
    const old = { ...accepted, status: 'False', observedGeneration: 1, lastTransitionTime: '2020-01-01T00:00:00Z' }
    const validationMessages = [{ level: 'WARNING' }]
    const server = await cluster(policy('a', 1, { status: { conditions: [old, other], validationMessages } }))
    const { writer, leadership, until } = await writing(server)
    writer.want(() => [wantedOf('a', [accepted, selects('x')])])
    leadership.lead()
    await until(() => conditionsOf(server).length === 3, 'the status')
    assert.deepEqual(
      conditionsOf(server).map(condition => condition['type']),
      ['Accepted', 'Reconciled', 'WorkloadsSelected']
    )
    assert.deepEqual(conditionsOf(server)[1], other)
    assert.notEqual(conditionsOf(server)[0]?.['lastTransitionTime'], old.lastTransitionTime)
    const written = server.find(POLICIES, 'a', 'shop')?.['status'] as Record<string, unknown>
    assert.deepEqual(written['validationMessages'], validationMessages)
  })

  it('keeps the time of a condition whose status did not change', async () => {
    const old = { ...accepted, observedGeneration: 1, lastTransitionTime: '2020-01-01T00:00:00Z' }
    const server = await cluster(policy('a', 2, { status: { conditions: [old] } }))
    const { writer, leadership, until } = await writing(server)
    writer.want(() => [wantedOf('a', [accepted], 2)])
    leadership.lead()
    await until(() => conditionsOf(server)[0]?.['observedGeneration'] === 2, 'the status')
    assert.equal(conditionsOf(server)[0]?.['lastTransitionTime'], '2020-01-01T00:00:00Z')
  })

  for (const [what, conditions] of [
    ['a word', 'x'],
    ['a list of something else', ['x', 1, null]]
  ] as const)
    it(`is written also where ${what} stood for conditions`, async () => {
      const server = await cluster(policy('a', 1, { status: { conditions } }))
      const { writer, leadership, until } = await writing(server)
      writer.want(() => [wantedOf('a')])
      leadership.lead()
      await until(() => writes(server).length === 1, 'the status')
      assert.deepEqual(
        conditionsOf(server).map(condition => condition['type']),
        ['Accepted']
      )
    })

  it('is repaired when somebody takes it away, or makes the policy anew', async () => {
    const server = await cluster(policy('a'))
    const { writer, leadership, until } = await writing(server)
    writer.want(() => [wantedOf('a')])
    leadership.lead()
    await until(() => conditionsOf(server).length === 1, 'the status')
    server.put(POLICIES, policy('a'))
    await until(() => conditionsOf(server).length === 1, 'the repair')
    server.remove(POLICIES, 'a', 'shop')
    server.put(POLICIES, policy('a'))
    await until(() => conditionsOf(server).length === 1, 'the status of the new one')
  })

  it('is right in the end when something changes while it is written', async () => {
    const server = await cluster(policy('a'))
    const { writer, leadership, until } = await writing(server)
    let answered = false
    server.intercept = (request, response) => {
      if (request.method === 'PATCH' && !answered) {
        answered = true
        const end = response.end.bind(response)
        // The answer is held back until the watch has told of something newer.
        response.end = ((body: string) => {
          server.put(POLICIES, policy('a'))
          setTimeout(() => end(body), 50)
          return response
        }) as typeof response.end
      }
      return false
    }
    writer.want(() => [wantedOf('a')])
    leadership.lead()
    await until(() => writes(server).length === 2 && conditionsOf(server).length === 1, 'the second write')
  })

  it('is not fought for more than once a second', async () => {
    const server = await cluster(policy('a'))
    const { writer, leadership, clock, until } = await writing(server)
    writer.want(() => [wantedOf('a')])
    leadership.lead()
    await until(() => conditionsOf(server).length === 1, 'the status')
    const before = writes(server).length
    const from = clock.now()
    for (let time = 0; time < 30; time++) {
      server.put(POLICIES, policy('a'))
      await clock.advance(100)
    }
    assert.ok(writes(server).length - before <= 4, `${writes(server).length - before} in ${clock.now() - from} ms`)
  })

  it('says what is wrong with a policy that came past the webhook', async () => {
    const server = await cluster(policy('a', 2, { spec: { mtls: { mode: 'strict' }, more: 1 } }))
    const { leadership, until, lines } = await writing(server)
    leadership.lead()
    await until(() => conditionsOf(server).length > 0, 'the status')
    assert.deepEqual(
      conditionsOf(server).map(({ type, status, reason, observedGeneration }) => [
        type,
        status,
        reason,
        observedGeneration
      ]),
      [
        ['Ready', 'False', 'InvalidClosed', 2],
        ['Accepted', 'False', 'InvalidClosed', 2],
        ['WorkloadsSelected', 'Unknown', 'InvalidClosed', 2]
      ]
    )
    assert.match(
      String(messageOf(server, 'Accepted')),
      /^spec\.mtls\.mode: expected one of .*; spec\.more: unknown field; .* Until the policy is corrected or deleted, the workloads that it selects accept mutual TLS alone \(STRICT\) on every port$/
    )
    assert.deepEqual(
      lines.filter(({ level }) => level === 'warn'),
      []
    )
  })

  it('says of a policy that became invalid that it closes, before anything else is wanted', async () => {
    const server = await cluster(policy('a'))
    const { writer, leadership, until } = await writing(server)
    writer.want(() => [wantedOf('a')])
    leadership.lead()
    await until(() => conditionsOf(server).length > 0, 'the status')
    const before = server.find(POLICIES, 'a', 'shop')?.['status']
    server.put(POLICIES, policy('a', 2, { spec: { mtls: { mode: 'strict' } }, status: before }))
    await until(() => String(messageOf(server, 'Ready')).includes('Until the policy is corrected'), 'the verdict')
  })
})

describe('what changes', () => {
  it('is written when it lasts: not for words, or for pods that come and go', async () => {
    const server = await cluster(policy('a'))
    const { writer, leadership, until, quiet } = await writing(server)
    const want = (message: string): void => writer.want(() => [wantedOf('a', [accepted, selects(message)])])
    want('first')
    leadership.lead()
    await until(() => messageOf(server, 'WorkloadsSelected') === 'first', 'the status')
    for (let time = 0; time < 4; time++) {
      want('second')
      await quiet(3_000)
      want('first')
      await quiet(3_000)
    }
    assert.equal(writes(server).length, 1)
    want('third')
    await quiet(8_000)
    assert.equal(writes(server).length, 1)
    await until(() => messageOf(server, 'WorkloadsSelected') === 'third', 'the change that stays')
    assert.equal(writes(server).length, 2)
  })

  it('is written soon when it matters, and all of it', async () => {
    const server = await cluster(policy('a'))
    const { writer, leadership, until, clock } = await writing(server)
    writer.want(() => [wantedOf('a', [accepted, selects('first')])])
    leadership.lead()
    await until(() => messageOf(server, 'WorkloadsSelected') === 'first', 'the status')
    const from = clock.now()
    writer.want(() => [wantedOf('a', [{ ...accepted, status: 'False', reason: 'Ignored' }, selects('second')])])
    await until(() => conditionsOf(server)[0]?.['reason'] === 'Ignored', 'the change')
    assert.ok(clock.now() - from < 5_000)
    assert.equal(messageOf(server, 'WorkloadsSelected'), 'second')
  })

  it('is worked out once a second at most, and only by the leader', async () => {
    const server = await cluster(policy('a'))
    const { writer, leadership, clock, watched } = await writing(server)
    let composed = 0
    const want = (): void =>
      writer.want(() => {
        composed++
        return [wantedOf('a')]
      })
    want()
    assert.equal(composed, 0)
    leadership.lead()
    await watched()
    const [before, from] = [composed, clock.now()]
    for (let time = 0; time < 40; time++) {
      want()
      await clock.advance(100)
    }
    assert.ok(composed - before <= 5, `${composed - before} times in ${clock.now() - from} ms`)
    assert.ok(composed > before)
  })

  it('is told of every policy at no more than 20 writes a second', async () => {
    const names = Array.from({ length: 60 }, (_, index) => `p${index}`)
    const server = await cluster(...names.map(name => policy(name)))
    const { writer, leadership, clock, watched, until } = await writing(server)
    writer.want(() => names.map(name => wantedOf(name)))
    leadership.lead()
    await watched()
    const from = clock.now()
    await until(() => writes(server).length >= 60, 'all of them')
    assert.ok(clock.now() - from >= 59 * 50 - 1_000, `in ${clock.now() - from} ms`)
    assert.equal(new Set(writes(server)).size, 60)
  })

  it('cannot be worked out: what was wanted before stays', async () => {
    const server = await cluster(policy('a'))
    const { writer, leadership, until, lines } = await writing(server)
    writer.want(() => [wantedOf('a')])
    leadership.lead()
    await until(() => conditionsOf(server).length === 1, 'the status')
    writer.want(() => {
      throw new TypeError('a mistake')
    })
    await until(() => lines.some(({ level }) => level === 'error'), 'the report')
    server.put(POLICIES, policy('a'))
    await until(() => conditionsOf(server).length === 1, 'the repair')
  })
})

describe('the API server', () => {
  it('refuses what is not as it was read: it is looked at again', async () => {
    const server = await cluster(policy('a'))
    const { writer, leadership, until, lines } = await writing(server)
    let conflicts = 0
    server.intercept = request => {
      // Somebody writes between reading and writing.
      if (request.method === 'PATCH' && conflicts++ === 0)
        server.put(POLICIES, policy('a', 1, { status: { conditions: [{ type: 'Other', status: 'True' }] } }))
      return false
    }
    writer.want(() => [wantedOf('a')])
    leadership.lead()
    await until(() => conditionsOf(server).length === 2, 'the status')
    assert.equal(writes(server).length, 2)
    assert.deepEqual(
      lines.filter(({ level }) => level === 'warn'),
      []
    )
  })

  it('has it no more: nothing is made, and nothing said', async () => {
    const server = await cluster(policy('a'))
    const { writer, leadership, until, quiet, lines } = await writing(server)
    server.intercept = (request, response) => {
      if (request.method !== 'PATCH') return false
      if (server.find(POLICIES, 'a', 'shop') !== undefined) server.remove(POLICIES, 'a', 'shop')
      status(response, 404, 'NotFound')
      return true
    }
    writer.want(() => [wantedOf('a')])
    leadership.lead()
    await until(() => writes(server).length === 1, 'the attempt')
    await quiet(70_000)
    assert.equal(writes(server).length, 1)
    assert.deepEqual(
      lines.filter(({ level }) => level === 'warn'),
      []
    )
  })

  for (const code of [403, 422, 429, 500, 503])
    it(`answers ${code}: it is tried again, ever less often, and told once`, async () => {
      const server = await cluster(policy('a'))
      const { writer, leadership, quiet, until, watched, lines } = await writing(server)
      server.intercept = (request, response) => {
        if (request.method !== 'PATCH') return false
        status(response, code, 'Reason')
        return true
      }
      writer.want(() => [wantedOf('a')])
      leadership.lead()
      await watched()
      await until(() => writes(server).length >= 2, 'attempts')
      await quiet(30_000)
      assert.ok(writes(server).length <= 7, `${writes(server).length} attempts`)
      assert.equal(lines.filter(({ level }) => level === 'warn').length, 1)
      server.intercept = () => false
      await until(() => conditionsOf(server).length === 1, 'the status')
      assert.ok(lines.some(({ msg }) => msg === 'statuses can be written again'))
    })

  it('refuses one policy: the others are written all the same', async () => {
    const server = await cluster(policy('a'), policy('b'))
    const { writer, leadership, until } = await writing(server)
    server.intercept = (request, response) => {
      if (!request.url?.includes('/a/status')) return false
      status(response, 422, 'Invalid')
      return true
    }
    writer.want(() => [wantedOf('a'), wantedOf('b')])
    leadership.lead()
    await until(() => conditionsOf(server, 'b').length === 1, 'the other one')
  })
})

describe('the end of leadership', () => {
  it('ends what is being written, and nothing is written afterwards', async () => {
    const names = ['a', 'b', 'c']
    const server = await cluster(...names.map(name => policy(name)))
    const { writer, leadership, until, quiet, clock } = await writing(server)
    server.intercept = request => request.method === 'PATCH'
    writer.want(() => names.map(name => wantedOf(name)))
    leadership.lead()
    await until(() => writes(server).length === 1, 'a write that hangs')
    await leadership.lose()
    server.intercept = () => false
    writer.want(() => names.map(name => wantedOf(name)))
    await quiet(20_000)
    assert.equal(writes(server).length, 1)
    assert.equal(clock.pending, 0)
  })

  it('is noticed before a write, also when its signal is late', async () => {
    const server = await cluster(policy('a'))
    const { writer, leadership, until, watched, quiet } = await writing(server)
    leadership.lead()
    await watched()
    leadership.isLeader = false
    writer.want(() => [wantedOf('a')])
    await quiet(5_000)
    assert.deepEqual(writes(server), [])
    await leadership.lose()
    leadership.lead()
    await until(() => conditionsOf(server).length === 1, 'the next time of leading')
  })
})
