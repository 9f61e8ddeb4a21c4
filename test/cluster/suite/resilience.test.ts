// What must hold however pods come and go: the first packet is captured, and nothing is left over.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { until } from '../../../cli/local/index.ts'
import { type Cluster, installChart, readSettings, startCluster, stopOwnCluster } from '../index.ts'
import { POD_SECURITY, podOf } from './pods.ts'
import { nothingLeftOver } from './remains.ts'
import { applyExample, readyPod } from './shop.ts'

const CALLERS = 50

/** A call that ends with 0 when orders was told that the account did it. */
const callOrders = (
  account: string
): string => `require('node:http').get('http://orders.shop/', { agent: false }, answer => {
    let body = ''
    answer.on('data', chunk => { body += chunk })
    answer.on('end', () => process.exit(body.includes('sa/${account}') ? 0 : 3))
  }).on('error', error => { console.error(error); process.exit(4) })`

/** A Job whose containers call orders in their first instruction, once, and end with 0 when they were identified. */
function firstPacketJob(): object {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'callers', namespace: 'shop' },
    spec: {
      completions: CALLERS,
      parallelism: 10,
      backoffLimit: 0,
      template: {
        metadata: { labels: { app: 'caller' } },
        spec: {
          serviceAccountName: 'caller',
          automountServiceAccountToken: false,
          restartPolicy: 'Never',
          securityContext: POD_SECURITY,
          containers: [
            {
              name: 'caller',
              image: 'countersign.dev/examples/echo:1',
              command: ['node', '-e', callOrders('caller')],
              securityContext: {
                allowPrivilegeEscalation: false,
                readOnlyRootFilesystem: true,
                capabilities: { drop: ['ALL'] }
              }
            }
          ]
        }
      }
    }
  }
}

describe('pods that come and go', { timeout: 900_000 }, () => {
  let cluster: Cluster

  before(async () => {
    cluster = await startCluster({ ...readSettings(), installPackages: true })
    await installChart(cluster)
    await applyExample(cluster, 'shop/00-namespace.yaml')
    await applyExample(cluster, 'shop/orders.yaml')
    await applyExample(cluster, 'policies/peer-authentication-strict.yaml')
    await readyPod(cluster, 'shop', 'orders')
  })
  after(stopOwnCluster)

  it(`are captured from their first instruction on, all ${CALLERS} of a Job, which ends`, async () => {
    await cluster.apply(
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'caller', namespace: 'shop' } },
      firstPacketJob()
    )
    const status = await until(
      'the Job to end',
      async () => {
        const job = JSON.parse(await cluster.kubectl(['get', 'job', '-n', 'shop', 'callers', '-o', 'json'])) as {
          status: { succeeded?: number; failed?: number }
        }
        const { succeeded = 0, failed = 0 } = job.status
        return succeeded + failed >= CALLERS || failed > 0 ? { succeeded, failed } : undefined
      },
      { timeoutMs: 400_000, intervalMs: 2_000 }
    )
    assert.deepEqual(status, { succeeded: CALLERS, failed: 0 })
    await cluster.kubectl(['delete', 'job', '-n', 'shop', 'callers', '--wait=true', '--cascade=foreground'])
  })

  it('have a network in their init containers, too, under their own identity', async () => {
    const pod = podOf('late', 'node0')
    const [application] = pod.spec?.containers ?? []
    assert.ok(application)
    const first = { ...application, name: 'first', command: ['node', '-e', callOrders('default')] }
    await cluster.apply({ ...pod, spec: { ...pod.spec, restartPolicy: 'Never', initContainers: [first] } })
    await cluster.kubectl(['wait', '-n', 'shop', 'pod/late', '--for=condition=Ready', '--timeout=60s'])
    await cluster.kubectl(['delete', 'pod', '-n', 'shop', 'late', '--wait=true'])
  })

  it('are captured again when their sandbox is made anew', async () => {
    const before = await readyPod(cluster, 'shop', 'orders')
    const node = cluster.node(before.spec.nodeName)
    const inPod = `grep -l pod${before.metadata.uid} /proc/[0-9]*/cgroup | cut -d/ -f3`
    const pids = (await node.run(['bash', '-c', inPod])).stdout.split('\n').map(Number)
    const pause = (await node.processes()).find(({ pid, command }) => pids.includes(pid) && /pause|sleep/.test(command))
    assert.ok(pause, 'the sandbox of orders has no process')
    await node.signal(pause.pid, 'KILL')
    const answered = async (): Promise<true | undefined> => {
      const pod = await readyPod(cluster, 'shop', 'orders')
      assert.equal(pod.metadata.uid, before.metadata.uid)
      // STRICT holds in the new network namespace only when its rules are there.
      const script = `(exec 3<>/dev/tcp/${pod.status.podIP}/8080 && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && cat <&3)`
      const { stdout } = await node.run(['timeout', '5', 'bash', '-c', script])
      assert.equal(stdout, '')
      return pod.status.podIP === before.status.podIP ? undefined : true
    }
    await until('the sandbox to be made anew', answered, { timeoutMs: 120_000, intervalMs: 1_000 })
    await cluster.apply(podOf('late', 'node0'))
    await cluster.kubectl(['wait', '-n', 'shop', 'pod/late', '--for=condition=Ready', '--timeout=60s'])
    await until('orders to be called again', async () => {
      const exec = ['exec', '-n', 'shop', 'late', '-c', 'application', '--', 'node', '-e', callOrders('default')]
      return (await cluster.kubectlOutcome(exec)).code === 0 || undefined
    })
    await cluster.kubectl(['delete', 'pod', '-n', 'shop', 'late', '--wait=true'])
    await nothingLeftOver(cluster)
  })

  it('leave nothing over when the kubelet restarts five times and pods are deleted by force', async () => {
    await applyExample(cluster, 'shop/guest.yaml')
    for (let round = 0; round < 5; round++) {
      await readyPod(cluster, 'shop', 'guest')
      for (const node of ['node0', 'node1']) await cluster.restartKubelet(node, round % 2 === 0 ? 'SIGTERM' : 'SIGKILL')
      await cluster.kubectl(['delete', 'pod', '-n', 'shop', '-l', 'app=guest', '--force', '--grace-period=0'])
    }
    await readyPod(cluster, 'shop', 'guest')
    await nothingLeftOver(cluster)
  })
})
