import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { Client, credentials } from '@grpc/grpc-js'
import { systemClock } from '../../shared/clock/index.ts'
import type { CountersignError } from '../../shared/errors/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import {
  EndpointsSchema,
  MeshSchema,
  ServiceSchema,
  WorkloadSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { AggregatedDiscoveryService } from '../../shared/proto/gen/envoy/service/discovery/v3/ads_pb.js'
import {
  DeltaDiscoveryRequestSchema,
  DiscoveryRequestSchema
} from '../../shared/proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import {
  AUTHORITY_SERVER_OPTIONS,
  bidiTransport,
  CHANNEL_OPTIONS,
  InjectedServer,
  listenUnix,
  type UnixListener
} from '../../shared/rpc/index.ts'
import {
  createResource,
  DiscoveryClient,
  type DiscoveryClientOptions,
  resourceType,
  typeUrlOf
} from '../../shared/xds/index.ts'
import { eventually } from '../../test/envoy/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { RecordingObserver } from '../../test/fakes/discovery-observer.ts'
import { FakeSnapshotSource } from '../../test/fakes/snapshot-source.ts'
import { addDistributionService } from './index.ts'

const { deltaAggregatedResources: DELTA, streamAggregatedResources: STATE_OF_THE_WORLD } =
  AggregatedDiscoveryService.method
const SCHEMAS = [MeshSchema, WorkloadSchema, ServiceSchema, EndpointsSchema]
const MESH = resourceType(MeshSchema)
const SERVICE = resourceType(ServiceSchema)

const mesh = (clusterDomain: string): ReturnType<typeof createResource> =>
  createResource(MeshSchema, 'mesh', { clusterDomain })
const service = (name: string): ReturnType<typeof createResource> =>
  createResource(ServiceSchema, `shop/${name}`, { namespace: 'shop', name })

describe('the distribution of mesh state', () => {
  let folder: string
  let server: InjectedServer
  let sources: Map<string, FakeSnapshotSource>
  let observer: RecordingObserver
  let lines: string[]
  const listeners: UnixListener[] = []
  const agents: DiscoveryClient[] = []
  const clients: Client[] = []

  const start = async (peers: readonly string[]): Promise<void> => {
    server = new InjectedServer(AUTHORITY_SERVER_OPTIONS)
    addDistributionService(server, {
      snapshotFor: node => sources.get(node),
      observer,
      clock: new FakeClock(),
      log: createLogger('test', 'debug', { write: line => lines.push(line) })
    })
    for (const peer of peers) {
      const onConnection = (socket: Parameters<InjectedServer['accept']>[0]): void => server.accept(socket, peer)
      listeners.push(await listenUnix(join(folder, peer), { mode: 0o600, onConnection }))
    }
  }
  const stop = async (): Promise<void> => {
    server.close()
    await Promise.all(listeners.splice(0).map(listener => listener.close()))
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-distribution-'))
    sources = new Map(['node-a', 'node-b'].map(node => [node, new FakeSnapshotSource()]))
    observer = new RecordingObserver()
    lines = []
  })
  afterEach(async () => {
    for (const agent of agents.splice(0)) agent.close()
    for (const client of clients.splice(0)) client.close()
    await stop()
    await eventually(() =>
      assert.deepEqual(
        [...sources.values()].map(({ listeners }) => listeners),
        [0, 0]
      )
    )
    rmSync(folder, { recursive: true })
  })

  const sourceOf = (node: string): FakeSnapshotSource => {
    const source = sources.get(node)
    assert.ok(source !== undefined)
    return source
  }
  const connect = (peer: string): Client => {
    const client = new Client(`unix:${join(folder, peer)}`, credentials.createInsecure(), CHANNEL_OPTIONS)
    clients.push(client)
    return client
  }
  const agentOf = (peer: string, types: DiscoveryClientOptions['types'] = [MESH, SERVICE]): DiscoveryClient => {
    const agent = new DiscoveryClient({
      types,
      transport: bidiTransport(DELTA, () => connect(peer)),
      clock: systemClock,
      random: () => 0,
      log: createLogger('agent', 'debug', { write: line => lines.push(line) }),
      backoff: { firstMs: 20, longestMs: 20 }
    })
    agents.push(agent)
    agent.start()
    return agent
  }
  const names = (agent: DiscoveryClient): string[] => [...agent.messages(SERVICE).keys()].sort()
  /** Opens a bare stream, sends one request, and resolves with the error that ends it. */
  const refused = (
    peer: string,
    method: typeof DELTA | typeof STATE_OF_THE_WORLD,
    request: unknown
  ): Promise<CountersignError> =>
    new Promise(resolve => {
      const stream = bidiTransport(method as typeof DELTA, () => connect(peer)).open({
        onMessage: () => {},
        onEnd: resolve
      })
      stream.send(request as never)
    })

  it('tells each agent what concerns its node, and what changes', async () => {
    await start(['agent:node-a', 'agent:node-b'])
    sourceOf('node-a').set({
      [MESH.typeUrl]: [mesh('cluster.local')],
      [SERVICE.typeUrl]: [service('cart'), service('till')]
    })
    sourceOf('node-b').set({ [MESH.typeUrl]: [mesh('cluster.local')], [SERVICE.typeUrl]: [] })
    const [a, b] = [agentOf('agent:node-a'), agentOf('agent:node-b')]
    await eventually(() => assert.deepEqual([names(a), b.synced(SERVICE)], [['shop/cart', 'shop/till'], true]))
    assert.deepEqual(names(b), [])

    sourceOf('node-b').set({ [SERVICE.typeUrl]: [service('cart')] })
    sourceOf('node-a').set({ [SERVICE.typeUrl]: [service('till')] })
    await eventually(() => assert.deepEqual([names(a), names(b)], [['shop/till'], ['shop/cart']]))
    assert.equal(a.messages(MESH).get('mesh')?.clusterDomain, 'cluster.local')
  })

  it('sends only what an agent lacks when it comes back to another authority', async () => {
    await start(['agent:node-a'])
    const all = Array.from({ length: 500 }, (_, index) => service(`s${index}`))
    sourceOf('node-a').set({ [MESH.typeUrl]: [mesh('cluster.local')], [SERVICE.typeUrl]: all })
    const agent = agentOf('agent:node-a')
    await eventually(() => assert.equal(names(agent).length, 500))
    await stop()
    await eventually(() => assert.equal(agent.connected, false))
    assert.equal(names(agent).length, 500, 'state is kept meanwhile')

    observer.lines.length = 0
    sourceOf('node-a').set({ [SERVICE.typeUrl]: [...all.slice(1), service('new')] })
    await start(['agent:node-a'])
    await eventually(() => assert.deepEqual([names(agent).length, names(agent).includes('shop/new')], [500, true]))
    await eventually(() => assert.equal(observer.matching('accepted node-a Service').length, 2))
    const [updates] = observer.matching('accepted node-a Service shop/')
    assert.equal(updates, `accepted node-a Service shop/new@${service('new').version}`)
  })

  it('withholds what is not known yet', async () => {
    await start(['agent:node-a'])
    const agent = agentOf('agent:node-a')
    sourceOf('node-a').set({ [MESH.typeUrl]: [mesh('cluster.local')] })
    await eventually(() => assert.equal(agent.synced(MESH), true))
    assert.equal(agent.synced(SERVICE), false)
    sourceOf('node-a').set({ [SERVICE.typeUrl]: [] })
    await eventually(() => assert.equal(agent.synced(SERVICE), true))
  })

  it('sends what is trusted before what is there', async () => {
    await start(['agent:node-a'])
    agentOf('agent:node-a', SCHEMAS.map(schema => resourceType(schema)).reverse())
    sourceOf('node-a').set(Object.fromEntries(SCHEMAS.map(schema => [typeUrlOf(schema), []])))
    // Answered in the order in which it asks; from then on it is subscribed to all of them.
    await eventually(() => assert.equal(observer.matching('accepted').length, 4))
    observer.lines.length = 0
    const one = SCHEMAS.map(schema => [typeUrlOf(schema), [createResource(schema, 'one', {})]] as const)
    sourceOf('node-a').set(Object.fromEntries(one.reverse()))
    await eventually(() => assert.equal(observer.matching('sent').length, 4))
    const order = ['Mesh', 'Workload', 'Service', 'Endpoints'].map(type => `sent node-a ${type}`)
    assert.deepEqual(observer.matching('sent'), order)
  })

  it('reports who is connected, and what an agent refuses', async () => {
    await start(['agent:node-a'])
    const broken = { ...service('till'), value: Buffer.from([0xff]) }
    sourceOf('node-a').set({ [SERVICE.typeUrl]: [service('cart'), broken] })
    const agent = agentOf('agent:node-a', [SERVICE])
    await eventually(() => assert.equal(observer.matching('rejected node-a Service: shop/till: ').length, 1))
    assert.deepEqual(names(agent), ['shop/cart'])
    assert.match(lines.join(''), /resources are refused by the peer/)
    agent.close()
    await eventually(() => assert.equal(observer.matching('closed node-a DeltaAggregatedResources').length, 1))
    assert.equal(observer.matching('opened node-a DeltaAggregatedResources').length, 1)
  })

  const request = create(DeltaDiscoveryRequestSchema, { typeUrl: MESH.typeUrl })
  for (const peer of ['nobody', 'pod:1234', 'agents:node-a']) {
    it(`refuses ${peer}, who is no agent`, async () => {
      await start([peer])
      const error = await refused(peer, DELTA, request)
      assert.equal(error.code, 'ERR_AUTHORITY_REFUSED')
      assert.match(error.message, /PERMISSION_DENIED/)
      assert.match(lines.join(''), /ERR_CALLER_REFUSED.*is not an agent/)
      assert.deepEqual(observer.lines, [])
    })
  }

  it('has nothing for the agent of a node that is not known, for now', async () => {
    await start(['agent:node-z'])
    assert.match((await refused('agent:node-z', DELTA, request)).message, /UNAVAILABLE/)
  })

  it('does not speak state of the world', async () => {
    await start(['agent:node-a'])
    const error = await refused('agent:node-a', STATE_OF_THE_WORLD, create(DiscoveryRequestSchema))
    assert.match(error.message, /UNIMPLEMENTED/)
  })

  it('ends a stream whose request is not valid, and says so in the log, not to the caller', async () => {
    await start(['agent:node-a'])
    const error = await refused('agent:node-a', DELTA, create(DeltaDiscoveryRequestSchema))
    assert.match(error.message, /INVALID_ARGUMENT: the discovery request is not valid$/)
    assert.match(lines.join(''), /ERR_DISCOVERY_REQUEST_INVALID.*type_url is empty/)
    await eventually(() => assert.equal(observer.matching('closed node-a').length, 1))
  })

  it('never answers a type that is not mesh state', async () => {
    await start(['agent:node-a'])
    sourceOf('node-a').set({ [MESH.typeUrl]: [mesh('cluster.local')] })
    const answers: string[] = []
    const stream = bidiTransport(DELTA, () => connect('agent:node-a')).open({
      onMessage: ({ typeUrl }) => answers.push(typeUrl),
      onEnd: () => {}
    })
    stream.send(create(DeltaDiscoveryRequestSchema, { typeUrl: 'type.googleapis.com/other' }))
    stream.send(request)
    await eventually(() => assert.deepEqual(answers, [MESH.typeUrl]))
    stream.close()
  })

  it('gives one node a few streams, not many', async () => {
    await start(['agent:node-a'])
    for (let streams = 0; streams < 4; streams++) agentOf('agent:node-a')
    await eventually(() => assert.equal(observer.matching('opened').length, 4))
    assert.match((await refused('agent:node-a', DELTA, request)).message, /UNAVAILABLE/)
    agents[0]?.close()
    await eventually(() => assert.equal(observer.matching('closed').length, 1))
    agentOf('agent:node-a')
    await eventually(() => assert.equal(observer.matching('opened').length, 5))
  })
})
