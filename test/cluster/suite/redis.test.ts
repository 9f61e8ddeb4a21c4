// A program that many have and that nobody wrote for a mesh: Redis, its server and its client, over mutual TLS.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { V1Pod } from '@kubernetes/client-node'
import { until } from '../../../cli/local/index.ts'
import { type Cluster, installChart, readSettings, startCluster, stopOwnCluster } from '../index.ts'
import { CONTAINER_SECURITY, INJECT, POD_SECURITY } from './pods.ts'
import { addressOf } from './protocols.ts'
import { REDIS_IMAGE, redisImages } from './redis-image.ts'

const NAMESPACE = 'redis'
// Neither saves anything: the pods have no volume.
const ARGUMENTS = ['--save', '', '--appendonly', 'no', '--protected-mode', 'no']

/** A pod with a Redis, which is called by the client that is in it, too. */
const redisPod = (name: string, node: string, injected = true): V1Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: NAMESPACE, labels: { app: name, [INJECT]: injected ? 'enabled' : 'disabled' } },
  spec: {
    nodeName: node,
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 2,
    securityContext: POD_SECURITY,
    containers: [
      {
        name: 'redis',
        image: REDIS_IMAGE,
        args: ARGUMENTS,
        securityContext: CONTAINER_SECURITY
      }
    ]
  }
})

describe('Redis under STRICT', { timeout: 600_000 }, () => {
  let cluster: Cluster
  let address: string

  before(async () => {
    const images = await redisImages()
    cluster = await startCluster({ ...readSettings(), installPackages: true })
    await Promise.all([installChart(cluster), ...cluster.nodes.map(node => node.load(images))])
    await cluster.apply(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: { [INJECT]: 'enabled' } } },
      {
        apiVersion: 'security.istio.io/v1',
        kind: 'PeerAuthentication',
        metadata: { name: 'default', namespace: NAMESPACE },
        spec: { mtls: { mode: 'STRICT' } }
      },
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'cache', namespace: NAMESPACE },
        spec: { selector: { app: 'server' }, ports: [{ name: 'redis', port: 6379 }] }
      },
      redisPod('server', 'node1'),
      redisPod('client', 'node0'),
      redisPod('outsider', 'node0', false)
    )
    for (const name of ['client', 'outsider']) await addressOf(cluster, NAMESPACE, name)
    address = await addressOf(cluster, NAMESPACE, 'server')
  })
  after(stopOwnCluster)

  const redis = async (pod: string, host: string, command: readonly string[], input = ''): Promise<string> => {
    const target = ['-n', NAMESPACE, pod, '-c', 'redis']
    const client = ['redis-cli', '-e', '-h', host, ...command]
    const { code, stdout, stderr } = await cluster.kubectlOutcome(['exec', '-i', ...target, '--', ...client], { input })
    return code === 0 ? stdout.trim() : `failed: ${stdout}${stderr}`
  }
  const handshakes = async (): Promise<number> => {
    const script = `fetch('http://${address}:15090/stats/prometheus').then(a => a.text()).then(t => console.log(t))`
    const { stdout } = await cluster.node('node1').run([process.execPath, '-e', script])
    const counts = [...stdout.matchAll(/^envoy_listener_ssl_handshake\{[^}]*"inbound"[^}]*\} (\d+)$/gm)]
    return counts.reduce((sum, [, count]) => sum + Number(count), 0)
  }

  it('keeps and gives back what it is told, one handshake for each connection of a client', async () => {
    await until('the Service to answer', async () => (await redis('client', 'cache', ['ping'])) === 'PONG' || undefined)
    for (const host of ['cache', address]) {
      const before = await handshakes()
      const value = `${host} `.repeat(20_000).trim()
      assert.equal(await redis('client', host, ['-x', 'set', 'key'], value), 'OK')
      assert.equal(await redis('client', host, ['get', 'key']), value)
      assert.equal((await handshakes()) - before, 2, host)
    }
  })

  it('answers nobody without an identity', async () => {
    for (const host of ['cache', address])
      assert.match(await redis('outsider', host, ['ping']), /^failed: .*(reset by peer|closed)/s, host)
    assert.equal(await redis('outsider', '127.0.0.1', ['ping']), 'PONG')
  })
})
