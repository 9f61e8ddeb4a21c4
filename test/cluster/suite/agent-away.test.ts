// What becomes of pods while the agent of their node is stalled, killed, or replaced: those that run notice nothing,
// those that start wait, and nothing is left over.

import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { until } from '../../../cli/local/index.ts'
import {
  type Cluster,
  type ClusterNode,
  installChart,
  type NodeProcess,
  readSettings,
  startCluster,
  stopOwnCluster
} from '../index.ts'
import { componentPod, podOf, statusOf } from './pods.ts'
import { nothingLeftOver, remainsOn } from './remains.ts'
import { applyExample, loadFrom, readyPod } from './shop.ts'

const SYSTEM = 'countersign-system'
const ORDERS_URL = 'http://orders.shop/'

describe('the agent of a node', { timeout: 900_000 }, () => {
  let cluster: Cluster
  /** Where orders runs; storefront runs there, too, so that both ends of each call depend on one agent. */
  let node: ClusterNode

  before(async () => {
    cluster = await startCluster({ ...readSettings(), installPackages: true })
    await installChart(cluster)
    node = cluster.node('node1')
    const here = (yaml: string): string =>
      yaml.replace('      serviceAccountName:', `      nodeName: ${node.name}\n      serviceAccountName:`)
    await applyExample(cluster, 'shop/00-namespace.yaml')
    await applyExample(cluster, 'shop/storefront.yaml', here)
    await applyExample(cluster, 'shop/orders.yaml', here)
    await readyPod(cluster, 'shop', 'storefront')
    await readyPod(cluster, 'shop', 'orders')
    await applyExample(cluster, 'policies/peer-authentication-strict.yaml')
  })
  after(stopOwnCluster)
  afterEach(async () => {
    await cluster.kubectl(['delete', 'pods', '-n', 'shop', '-l', 'app=late', '--wait=true'])
    await nothingLeftOver(cluster)
  })

  const agentProcess = async (): Promise<NodeProcess | undefined> =>
    (await node.processes()).find(({ command }) => command.includes('/app/agent/main.ts'))
  const agentPid = async (): Promise<number> => {
    const found = await agentProcess()
    assert.ok(found, `no agent runs on ${node.name}`)
    return found.pid
  }
  const applications = async (): Promise<number> =>
    (await node.processes()).filter(({ command }) => command.includes('/app/examples/echo/main.ts')).length
  const load = (seconds: number) => loadFrom(cluster, 'shop', 'storefront', ORDERS_URL, seconds)
  const create = (...names: string[]): Promise<void> => cluster.apply(...names.map(name => podOf(name, node.name)))
  const isReady = async (name: string): Promise<true | undefined> => {
    const { conditions = [] } = await statusOf(cluster, name)
    return conditions.some(({ type, status }) => type === 'Ready' && status === 'True') || undefined
  }

  it('keeps applications from starting while it is stalled, and those that run notice nothing', async () => {
    const pid = await agentPid()
    await node.signal(pid, 'STOP')
    try {
      const running = load(15)
      await create('late')
      const { proxy } = await until('the proxy to run', async () => {
        const status = await statusOf(cluster, 'late')
        return status.proxy?.state.running === undefined ? undefined : status
      })
      assert.equal(proxy?.started, false)
      // As long as Envoy's own patience with a silent agent is by default, and a half more.
      await pause(22_000)
      const { application, proxy: still } = await statusOf(cluster, 'late')
      assert.equal(application?.state.waiting?.reason, 'PodInitializing')
      assert.deepEqual([still?.started, still?.restartCount], [false, 0])
      const { answered, failures } = await running
      assert.deepEqual(failures, [])
      assert.ok(answered > 100, `only ${answered} requests were answered`)
    } finally {
      await node.signal(pid, 'CONT')
    }
    await until('the pod to start once the agent goes on', () => isReady('late'), { timeoutMs: 30_000 })
  })

  for (const signal of ['TERM', 'KILL'] as const)
    it(`loses no request when its container ends by SIG${signal} and is started again`, async () => {
      const running = load(20)
      await pause(2_000)
      const before = await agentPid()
      await node.signal(before, signal)
      await until('another agent', async () => ((await agentProcess())?.pid ?? before) !== before || undefined, {
        timeoutMs: 60_000
      })
      const { answered, failures } = await running
      assert.deepEqual(failures, [])
      assert.ok(answered > 200, `only ${answered} requests were answered`)
    })

  it('finds a pod that was created while its container was away waiting, and lets it start', async test => {
    // The kubelet lets a container that ends again wait for longer and longer.
    await node.signal(await agentPid(), 'KILL')
    await create('late')
    await until('the proxy to run', async () => (await statusOf(cluster, 'late')).proxy?.state.running)
    assert.equal(await agentProcess(), undefined, 'the agent came back too early for this test')
    const back = await until('the agent to be back', agentProcess, { timeoutMs: 120_000 })
    const backAt = Date.now()
    await until('the application to run', async () => (await applications()) === 3 || undefined)
    test.diagnostic(
      `${(Date.now() - backAt) / 1_000} s from the start of process ${back.pid} to that of the application`
    )
    await until('the pod to be Ready', () => isReady('late'))
    const { proxy } = await statusOf(cluster, 'late')
    assert.equal(proxy?.restartCount, 0)
  })

  it('leaves nothing over when it is killed between publish and start', async () => {
    const names = Array.from({ length: 8 }, (_, index) => `late-${index}`)
    await create(...names)
    await until('the first volumes', async () => ((await remainsOn(node)).records.length > 4 ? true : undefined))
    await node.signal(await agentPid(), 'KILL')
    // Half of them go before the agent is back.
    await cluster.kubectl(['delete', 'pod', '-n', 'shop', '--force', '--grace-period=0', ...names.slice(0, 4)])
    for (const name of names.slice(4))
      await until(`${name} to start`, () => isReady(name), { timeoutMs: 180_000, intervalMs: 500 })
    await nothingLeftOver(cluster)
  })

  it('is replaced with its whole pod: a pod created meanwhile starts at the next try of the kubelet', async test => {
    const running = load(40)
    const before = await componentPod(cluster, 'agent', node.name)
    // Before: the rollout may end it at once.
    const old = await agentPid()
    await cluster.kubectl(['rollout', 'restart', '-n', SYSTEM, 'daemonset/countersign-agent'])
    await until('the old agent to end', async () => (await agentProcess())?.pid !== old || undefined, {
      timeoutMs: 90_000
    })
    const createdAt = Date.now()
    await create('late')
    await until('the pod to start', () => isReady('late'), { timeoutMs: 120_000 })
    test.diagnostic(`${(Date.now() - createdAt) / 1_000} s from creation while there was no agent to Ready`)
    await cluster.kubectl(['rollout', 'status', '-n', SYSTEM, 'daemonset/countersign-agent', '--timeout=120s'])
    assert.equal((await statusOf(cluster, 'late')).proxy?.restartCount, 0)
    const { answered, failures } = await running
    assert.deepEqual(failures, [])
    assert.ok(answered > 300, `only ${answered} requests were answered`)
    assert.notEqual(await componentPod(cluster, 'agent', node.name), before)
  })
})
