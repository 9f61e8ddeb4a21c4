import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { FakeApiServer } from '../../shared/kube/api-server.test-support.ts'
import { COLLECTIONS, collectionPath } from '../../shared/kube/index.ts'
import { clientOf, recordingLogger } from '../../shared/kube/kube.test-support.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { FakeLeadership } from '../../test/fakes/leadership.ts'
import { meshState } from '../naming/index.ts'
import { inventoryOf, type Manifest, pod, service, settings } from '../naming/mesh.test-support.ts'
import { StatusWriter, serviceStatuses } from './index.ts'

const SERVICES = collectionPath(COLLECTIONS.services)
const TYPE = 'countersign.dev/ProtocolConflict'
const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const http = service()
const tcp = service({ name: 'db', ports: [{ name: 'tcp', port: 1, targetPort: 8080 }] })
const statusesOf = (...manifests: readonly Manifest[]) =>
  serviceStatuses(meshState(inventoryOf([pod(), ...manifests]), settings).problems)

describe('what is said of a Service', () => {
  it('is nothing where no declaration contradicts another', () => assert.deepEqual(statusesOf(http), []))

  it('is the contradiction, of both', () => {
    const message =
      'port 8080 of its pods is declared TCP by port name "tcp" of Service shop/db and HTTP by port name "http" of Service shop/orders: HTTP holds; declare the same in both'
    const conditions = [{ type: TYPE, status: 'True', reason: 'ProtocolsDiffer', message }]
    assert.deepEqual(statusesOf(http, tcp), [
      { kind: 'Service', namespace: 'shop', name: 'db', conditions },
      { kind: 'Service', namespace: 'shop', name: 'orders', conditions }
    ])
  })

  it('names five contradictions at most, and nothing that is no Service', () => {
    const problems = Array.from({ length: 9 }, (_, index) => ({
      kind: 'protocol-conflict',
      object: 'Service shop/a',
      message: `${index}`
    }))
    const others = [
      { kind: 'endpoint-unknown', object: 'Service shop/b', message: 'x' },
      { kind: 'protocol-conflict', object: 'a container', message: 'x' },
      { kind: 'protocol-conflict', object: 'Service ../../nodes/a', message: 'x' }
    ]
    const [only, ...rest] = serviceStatuses([...problems, ...others])
    assert.deepEqual(rest, [])
    assert.equal(only?.conditions[0]?.message, '0; 1; 2; 3; 4; and others')
  })
})

interface Stored {
  readonly conditions?: readonly Record<string, unknown>[]
}

async function started(...services: readonly object[]) {
  const server = await FakeApiServer.start()
  closers.push(() => server.close())
  for (const kind of ['peerAuthentications', 'requestAuthentications', 'endUserAuthentications'] as const)
    server.missing.add(collectionPath(COLLECTIONS[kind]))
  for (const object of services) server.put(SERVICES, object)
  const clock = new FakeClock()
  const client = await clientOf(server, clock)
  const { log } = recordingLogger()
  const leadership = new FakeLeadership()
  const writer = new StatusWriter({ client, leadership, clock, random: () => 0.5, log })
  closers.push(
    () => client.close(),
    () => writer.close()
  )
  const until = (condition: () => boolean, what: string): Promise<void> =>
    eventually(async () => {
      await clock.advance(100)
      return condition()
    }, what)
  const conditionsOf = (name: string): readonly Record<string, unknown>[] =>
    (server.find(SERVICES, name, 'shop')?.['status'] as Stored | undefined)?.conditions ?? []
  const writes = (): readonly string[] =>
    server.requests.filter(({ method }) => method !== 'GET').map(({ method, path }) => `${method} ${path}`)
  return { server, clock, leadership, writer, until, conditionsOf, writes }
}

describe('the condition of a Service', () => {
  it('is written to those concerned alone, beside everything that others keep there', async () => {
    const loadBalancer = { ingress: [{ ip: '192.0.2.1' }] }
    const other = { type: 'LoadBalancerReady', status: 'True', reason: 'x', message: '', lastTransitionTime: 'x' }
    const stored = { ...tcp, status: { loadBalancer, conditions: [other] } }
    const { server, leadership, writer, until, conditionsOf, writes } = await started(
      ...[http, stored, service({ name: 'third' })]
    )
    writer.want(() => statusesOf(http, tcp))
    leadership.lead()
    await until(() => writes().length === 2, 'both conditions')
    assert.deepEqual(writes().toSorted(), [
      'PATCH /api/v1/namespaces/shop/services/db/status',
      'PATCH /api/v1/namespaces/shop/services/orders/status'
    ])
    assert.deepEqual(conditionsOf('db')[0], other)
    assert.equal(conditionsOf('db')[1]?.['type'], TYPE)
    assert.deepEqual(
      (server.find(SERVICES, 'db', 'shop')?.['status'] as { loadBalancer?: unknown } | undefined)?.loadBalancer,
      loadBalancer
    )
    assert.deepEqual(conditionsOf('third'), [])
  })

  it('becomes False when the contradiction ends, also where another replica has written it', async () => {
    const condition = { type: TYPE, status: 'True', reason: 'ProtocolsDiffer', message: 'x', lastTransitionTime: 'x' }
    const { leadership, writer, until, conditionsOf, writes } = await started(http, {
      ...tcp,
      status: { conditions: [condition] }
    })
    writer.want(() => statusesOf(http))
    leadership.lead()
    await until(() => conditionsOf('db')[0]?.['status'] === 'False', 'the end of the contradiction')
    assert.equal(conditionsOf('db')[0]?.['reason'], 'ProtocolsAgree')
    assert.equal(writes().length, 1)
  })
})
