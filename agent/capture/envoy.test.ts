// A real proxy that runs while its agent is replaced by a later version: what it keeps until its pod is captured anew.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { createBootstrap } from '../../shared/bootstrap/index.ts'
import { systemClock } from '../../shared/clock/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import {
  Cluster_DiscoveryType,
  Cluster_LbPolicy,
  ClusterSchema
} from '../../shared/proto/gen/envoy/config/cluster/v3/cluster_pb.js'
import { InjectedServer, listenUnix, UNIX_SERVER_OPTIONS } from '../../shared/rpc/index.ts'
import { createResource, type Resource, TYPE } from '../../shared/xds/index.ts'
import { eventually, startEnvoy } from '../../test/envoy/index.ts'
import { RecordingObserver } from '../../test/fakes/discovery-observer.ts'
import { FakeSnapshotSource } from '../../test/fakes/snapshot-source.ts'
import { addDiscoveryServices } from '../discovery/index.ts'
import { CaptureGate } from './index.ts'

const PEER = 'pod:a'
const FORMER = '127.0.0.6'
const PRESENT = '192.0.2.6'

/** The cluster of deliveries, from a source address. */
const deliveries = (address: string): Resource =>
  createResource(ClusterSchema, 'inbound', {
    name: 'inbound',
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.ORIGINAL_DST },
    lbPolicy: Cluster_LbPolicy.CLUSTER_PROVIDED,
    upstreamBindConfig: {
      sourceAddress: { address, portSpecifier: { case: 'portValue', value: 0 } },
      freebind: true
    }
  })

it('a proxy keeps the clusters that its rules know until an agent of a later version has captured its pod', async test => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-capture-'))
  const socketPath = join(folder, 'agent.sock')
  const log = createLogger('test', 'fatal')

  const startAgent = async (address: string, apply: () => Promise<void>) => {
    const source = new FakeSnapshotSource()
    source.set({ [TYPE.cluster]: [deliveries(address)], [TYPE.endpoint]: [], [TYPE.listener]: [], [TYPE.secret]: [] })
    const volumes = { current: () => new Map([['a', { attributes: {} }]]) }
    const gate = new CaptureGate({ capture: { apply }, volumes, clock: systemClock, random: Math.random, log })
    const server = new InjectedServer(UNIX_SERVER_OPTIONS)
    const observer = new RecordingObserver()
    const pods = { sourceFor: () => source }
    addDiscoveryServices(server, { source: peer => gate.sourceFor(peer, pods), observer, clock: systemClock, log })
    const door = await listenUnix(socketPath, { mode: 0o600, onConnection: socket => server.accept(socket, PEER) })
    return async (): Promise<void> => {
      await door.close()
      server.close()
    }
  }

  let stopAgent = await startAgent(FORMER, async () => {})
  const adminSocket = join(folder, 'admin.sock')
  const bootstrap = createBootstrap({ nodeId: 'a', nodeCluster: 'shop/orders-0', socketPath, adminSocket })
  const envoy = await startEnvoy({ bootstrap, folder })
  // The proxy first: a socket closes when its connections have ended.
  test.after(async () => {
    await envoy.stop()
    await stopAgent()
    rmSync(folder, { recursive: true, force: true })
  })
  await envoy.ready()
  const source = async (): Promise<string | undefined> =>
    /"source_address": \{\s*"address": "([^"]+)"/.exec((await envoy.admin('/config_dump')).body)?.[1]
  assert.equal(await source(), FORMER)

  await stopAgent()
  const captured = Promise.withResolvers<void>()
  let asked = 0
  stopAgent = await startAgent(PRESENT, () => {
    asked++
    // The first attempts find a program of the earlier version.
    return asked <= 3 ? Promise.reject(new Error('rules of an earlier version')) : captured.promise
  })
  await eventually(() => assert.ok(asked > 3))
  assert.equal(await source(), FORMER)
  assert.equal(await envoy.stat('cluster_manager.cluster_removed'), 0)
  captured.resolve()
  await eventually(async () => assert.equal(await source(), PRESENT))
})
