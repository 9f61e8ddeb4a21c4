import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { eventually } from '../../../test/eventually.ts'
import { FakeClock } from '../../../test/fakes/clock.ts'
import { FakeApiServer } from '../../kube/api-server.test-support.ts'
import { COLLECTIONS, type Collection, collectionPath, type KubeClient } from '../../kube/index.ts'
import { clientOf, recordingLogger } from '../../kube/kube.test-support.ts'
import { EMPTY_INVENTORY } from '../index.ts'
import { KubernetesSource, type KubernetesSourceOptions } from './index.ts'

const path = (collection: Collection): string => collectionPath(collection)
const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const pod = (name: string, changes: object = {}) => ({
  metadata: { name, namespace: 'shop', uid: `uid-${name}`, labels: { app: 'orders' }, managedFields: [{}] },
  spec: { serviceAccountName: 'orders', nodeName: 'node-1', containers: [{ name: 'app', image: 'x' }] },
  status: { phase: 'Running', podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }], ...changes }
})
const node = (podCIDRs: readonly string[], name = 'node-1') => ({ metadata: { name }, spec: { podCIDRs } })
const service = (annotations: object = {}) => ({
  metadata: { name: 'orders', namespace: 'shop', annotations },
  spec: { selector: { app: 'orders' }, clusterIP: '10.96.0.1', ports: [{ name: 'http', port: 80, targetPort: 8080 }] }
})
const slice = (podName: string, address = '10.0.0.1') => ({
  metadata: { name: 'orders-x', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'orders' } },
  addressType: 'IPv4',
  endpoints: [{ addresses: [address], conditions: { ready: true }, targetRef: { kind: 'Pod', name: podName } }],
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }]
})
const policy = (mode: string) => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'PeerAuthentication',
  metadata: { name: 'default', namespace: 'shop', creationTimestamp: '2026-01-01T00:00:00Z', managedFields: [{}] },
  spec: { mtls: { mode } }
})

const requestAuthentication = (issuer = 'https://issuer.example') => ({
  ...policy(''),
  kind: 'RequestAuthentication',
  spec: { jwtRules: [{ issuer, audiences: ['shop'] }] }
})
const endUserAuthentication = (methods = ['GET']) => ({
  ...policy(''),
  apiVersion: 'countersign.dev/v1',
  kind: 'EndUserAuthentication',
  spec: { issuer: 'https://issuer.example', audiences: ['shop'], methods }
})

async function cluster(): Promise<FakeApiServer> {
  const server = await FakeApiServer.start()
  closers.push(() => server.close())
  server.put(path(COLLECTIONS.namespaces), {
    metadata: { name: 'shop', labels: { 'countersign.dev/inject': 'enabled' } }
  })
  server.put(path(COLLECTIONS.nodes), node(['10.0.0.0/16']))
  server.put(path(COLLECTIONS.pods), pod('a'))
  server.put(path(COLLECTIONS.services), service())
  server.put(path(COLLECTIONS.endpointSlices), slice('a'))
  server.put(path(COLLECTIONS.peerAuthentications), policy('STRICT'))
  server.put(path(COLLECTIONS.requestAuthentications), requestAuthentication())
  server.put(path(COLLECTIONS.endUserAuthentications), endUserAuthentication())
  return server
}

async function sourceOf(
  server: FakeApiServer,
  wrap: (client: KubeClient) => Pick<KubeClient, 'pages' | 'watch'> = c => c,
  options: Pick<KubernetesSourceOptions, 'podCidrs'> = {}
) {
  const clock = new FakeClock()
  const client = await clientOf(server, clock)
  closers.push(() => client.close())
  const { log, lines } = recordingLogger()
  const source = new KubernetesSource({ client: wrap(client), clock, random: () => 0.5, log, ...options })
  closers.push(() => source.close())
  let changes = 0
  source.subscribe(() => {
    changes++
  })
  const changed = async (condition: () => boolean): Promise<void> =>
    eventually(async () => {
      await clock.advance(10)
      return condition()
    }, 'the change')
  return { source, lines, clock, changes: () => changes, changed }
}

describe('the inventory of a cluster', () => {
  it('holds its namespaces, pods, Services, endpoints and policies, reduced to what is read', async () => {
    const { source, changes } = await sourceOf(await cluster())
    await source.synced
    const inventory = source.current()
    assert.deepEqual(inventory.namespaces, [{ name: 'shop', labels: { 'countersign.dev/inject': 'enabled' } }])
    assert.deepEqual(
      inventory.pods.map(({ uid, node, serviceAccount, ready }) => [uid, node, serviceAccount, ready]),
      [['uid-a', 'node-1', 'orders', true]]
    )
    assert.deepEqual(inventory.services[0]?.ports, [{ name: 'http', number: 80, targetPort: 8080, protocol: 'TCP' }])
    assert.deepEqual(inventory.endpoints, [
      {
        namespace: 'shop',
        service: 'orders',
        ports: [{ servicePort: 80, endpoints: [{ address: '10.0.0.1', port: 8080, podUid: 'uid-a', ready: true }] }]
      }
    ])
    assert.deepEqual(
      inventory.peerAuthentications.map(({ mode }) => mode),
      ['STRICT']
    )
    assert.deepEqual(
      inventory.requestAuthentications.map(({ rules }) => rules.map(({ issuer }) => issuer)),
      [['https://issuer.example']]
    )
    assert.deepEqual(
      inventory.endUserAuthentications.map(({ source, methods }) => [source.issuer, methods]),
      [['https://issuer.example', ['GET']]]
    )
    assert.equal(changes(), 1)
  })

  it('is empty until all of it was seen', async () => {
    const server = await cluster()
    let release = (): void => {}
    const held = new Promise<void>(resolve => {
      release = resolve
    })
    const { source } = await sourceOf(server, client => ({
      watch: client.watch.bind(client),
      async *pages(at, ...rest) {
        if (at.endsWith('services')) await held
        yield* client.pages(at, ...rest)
      }
    }))
    await eventually(() => server.watches === 7, 'the other collections')
    assert.equal(source.current(), EMPTY_INVENTORY)
    release()
    await source.synced
    assert.equal(source.current().pods.length, 1)
  })

  it('has no policy where the kind is not installed', async () => {
    const server = await cluster()
    const policies = ['peerAuthentications', 'requestAuthentications', 'endUserAuthentications'] as const
    for (const kind of policies) server.missing.add(path(COLLECTIONS[kind]))
    const { source } = await sourceOf(server)
    await source.synced
    assert.equal(source.current().pods.length, 1)
    for (const kind of policies) assert.deepEqual(source.current()[kind], [])
  })

  it('changes once for a shower of changes, at most half a second after the first', async () => {
    const server = await cluster()
    const { source, clock, changes, changed } = await sourceOf(server)
    await source.synced
    await eventually(() => server.watches === 8, 'the watches')
    for (let index = 0; index < 20; index++) server.put(path(COLLECTIONS.pods), pod(`p${index}`))
    await changed(() => source.current().pods.length === 21)
    assert.equal(changes(), 2)
    const before = clock.now()
    for (let index = 0; changes() === 2; index++) {
      server.put(path(COLLECTIONS.pods), pod('a', { podIP: `10.0.1.${index}` }))
      await clock.advance(25)
      assert.ok(clock.now() - before < 2_000, 'a change waits for quiet that never comes')
    }
  })

  it('is the same when nothing changes that is read', async () => {
    const server = await cluster()
    const { source, changes } = await sourceOf(server)
    await source.synced
    await eventually(() => server.watches === 8, 'the watches')
    const before = source.current()
    server.put(path(COLLECTIONS.pods), pod('a', { startTime: '2026-01-01T00:00:00Z' }))
    server.put(path(COLLECTIONS.services), service())
    server.compact()
    assert.equal(source.current(), before)
    assert.equal(changes(), 1)
  })

  it('stays while the API server is away, and catches up', async () => {
    const server = await cluster()
    const { source, changed } = await sourceOf(server)
    await source.synced
    const port = await server.stop()
    server.remove(path(COLLECTIONS.pods), 'a', 'shop')
    server.compact()
    assert.equal(source.current().pods.length, 1)
    await server.listen(port)
    await changed(() => source.current().pods.length === 0)
  })
})

describe('the addresses of pods', () => {
  const heldBy = (source: KubernetesSource): readonly string[] =>
    source
      .current()
      .endpoints.flatMap(({ ports }) => ports.flatMap(({ endpoints }) => endpoints.map(({ address }) => address)))

  it('are those of the networks of their Node, as soon as it is known and as long as it says so', async () => {
    const server = await cluster()
    server.remove(path(COLLECTIONS.nodes), 'node-1')
    const { source, changed } = await sourceOf(server)
    await source.synced
    await eventually(() => server.watches === 8, 'the watches')
    assert.deepEqual(heldBy(source), [], 'the Node is not known')
    assert.deepEqual(source.current().pods[0]?.unheld, [{ address: '10.0.0.1', why: 'outside-node', networks: [] }])
    server.put(path(COLLECTIONS.nodes), node(['10.0.0.0/16']))
    await changed(() => heldBy(source).length === 1)
    server.put(path(COLLECTIONS.nodes), node(['10.1.0.0/16', 'fd00::/64']))
    await changed(() => heldBy(source).length === 0)
    server.put(path(COLLECTIONS.nodes), node([]))
    await changed(() => heldBy(source).length === 1)
    server.put(path(COLLECTIONS.nodes), node(['10.1.0.0/16']))
    await changed(() => heldBy(source).length === 0)
    // A Node with a mistake keeps its last good state.
    server.put(path(COLLECTIONS.nodes), node(['nowhere']))
    server.put(path(COLLECTIONS.pods), pod('b'))
    await changed(() => source.current().pods.length === 2)
    assert.deepEqual(heldBy(source), [])
  })

  it('are not compared with Nodes where that is switched off, and Nodes are not read', async () => {
    const server = await cluster()
    server.put(path(COLLECTIONS.nodes), node(['10.1.0.0/16']))
    const { source } = await sourceOf(server, client => client, { podCidrs: 'ignored' })
    await source.synced
    assert.deepEqual(heldBy(source), ['10.0.0.1'])
    assert.ok(!server.requests.some(request => JSON.stringify(request).includes('nodes')))
  })

  it('stay with the pod that had them first', async () => {
    const server = await cluster()
    const { source, changed } = await sourceOf(server)
    await source.synced
    await eventually(() => server.watches === 8, 'the watches')
    const older = {
      ...pod('0-evil'),
      metadata: { ...pod('0-evil').metadata, creationTimestamp: '2020-01-01T00:00:00Z' }
    }
    server.put(path(COLLECTIONS.pods), older)
    await changed(() => source.current().pods.length === 2)
    const [evil, victim] = source.current().pods
    assert.deepEqual(evil?.unheld, [{ address: '10.0.0.1', why: 'other-pod', holder: 'shop/a' }])
    assert.equal(victim?.unheld, undefined)
    server.remove(path(COLLECTIONS.pods), 'a', 'shop')
    await changed(() => source.current().pods.length === 1)
    assert.equal(source.current().pods[0]?.unheld, undefined)
  })

  it('are none of mirror pods, which are no pods at all', async () => {
    const server = await cluster()
    const { source, changed } = await sourceOf(server)
    await source.synced
    await eventually(() => server.watches === 8, 'the watches')
    const { metadata, ...rest } = pod('0-mirror')
    server.put(path(COLLECTIONS.pods), {
      ...rest,
      metadata: { ...metadata, annotations: { 'kubernetes.io/config.mirror': 'x' } }
    })
    server.put(path(COLLECTIONS.endpointSlices), slice('0-mirror'))
    await changed(() => source.current().endpoints[0]?.refused?.first[0]?.kind === 'mirror-pod')
    assert.deepEqual(
      source.current().pods.map(({ name }) => name),
      ['a']
    )
  })
})

describe('an object with a mistake', () => {
  it('keeps its last good state if it is a Service, whose pinned accounts restrict', async () => {
    const server = await cluster()
    const { source, changed } = await sourceOf(server)
    await source.synced
    await eventually(() => server.watches === 7, 'the watches')
    server.put(path(COLLECTIONS.services), { ...service(), spec: { ports: 'none' } })
    server.put(path(COLLECTIONS.pods), pod('b'))
    await changed(() => source.current().pods.length === 2)
    assert.equal(source.current().services.length, 1)
  })

  it('is a policy that cannot be understood, and is told of once', async () => {
    const server = await cluster()
    const { source, lines, changed } = await sourceOf(server)
    await source.synced
    await eventually(() => server.watches === 8, 'the watches')
    const told = () => lines.filter(({ msg }) => msg === 'an object of the cluster is unusable')
    for (let time = 0; time < 3; time++) server.put(path(COLLECTIONS.peerAuthentications), policy('strict'))
    server.put(path(COLLECTIONS.pods), pod('b'))
    await changed(() => source.current().pods.length === 2)
    await eventually(() => told().length > 0, 'the report')
    assert.deepEqual(source.current().peerAuthentications, [])
    assert.deepEqual(
      source.current().unreadablePolicies.map(({ kind, namespace, name, issues }) => [kind, namespace, name, issues]),
      [
        [
          'PeerAuthentication',
          'shop',
          'default',
          ['spec.mtls.mode: expected one of UNSET, DISABLE, PERMISSIVE, STRICT, got "strict"; did you mean "STRICT"']
        ]
      ]
    )
    assert.deepEqual(
      told().map(({ object }) => object),
      ['peerAuthentications shop/default']
    )
    server.put(path(COLLECTIONS.peerAuthentications), policy('DISABLE'))
    await changed(() => source.current().peerAuthentications[0]?.mode === 'DISABLE')
    assert.deepEqual(source.current().unreadablePolicies, [])
    assert.equal(lines.filter(({ msg }) => msg === 'an object of the cluster has no mistake any more').length, 1)
  })

  it('is the same to a replica that saw it become so and to one that is started later', async () => {
    const server = await cluster()
    const early = await sourceOf(server)
    await early.source.synced
    await eventually(() => server.watches === 8, 'the watches')
    server.put(path(COLLECTIONS.endUserAuthentications), endUserAuthentication(['get']))
    server.put(path(COLLECTIONS.requestAuthentications), requestAuthentication(''))
    server.put(path(COLLECTIONS.peerAuthentications), policy('strict'))
    await early.changed(() => early.source.current().unreadablePolicies.length === 3)
    const late = await sourceOf(server)
    await late.source.synced
    assert.deepEqual(late.source.current(), early.source.current())
    assert.deepEqual(late.source.current().endUserAuthentications, [])
    server.remove(path(COLLECTIONS.peerAuthentications), 'default', 'shop')
    server.put(path(COLLECTIONS.requestAuthentications), requestAuthentication())
    server.put(path(COLLECTIONS.endUserAuthentications), endUserAuthentication())
    await early.changed(() => early.source.current().unreadablePolicies.length === 0)
  })

  it('is left out otherwise', async () => {
    const server = await cluster()
    const { source, changed } = await sourceOf(server)
    await source.synced
    server.put(path(COLLECTIONS.pods), pod('a', { podIP: 'nowhere' }))
    await changed(() => source.current().pods.length === 0)
  })

  it('has an effect as far as it is right', async () => {
    const server = await cluster()
    const { source, changed, lines } = await sourceOf(server)
    await source.synced
    server.put(path(COLLECTIONS.services), service({ 'countersign.dev/service-accounts': 'Guest' }))
    await changed(() => source.current().services[0]?.pinnedAccounts?.length === 0)
    assert.equal(lines.filter(({ msg }) => msg === 'a part of an object of the cluster has no effect').length, 1)
  })
})

describe('the end of the following', () => {
  it('leaves nothing behind, also before everything was seen', async () => {
    const server = await cluster()
    server.intercept = () => true
    const { source, clock } = await sourceOf(server)
    await eventually(() => server.requests.length === 8, 'the lists')
    await source.close()
    assert.equal(clock.pending, 0)
    assert.equal(source.current(), EMPTY_INVENTORY)
  })
})
