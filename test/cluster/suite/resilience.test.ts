// What must hold however pods come and go: the first packet is captured, and nothing is left over.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { until } from '../../../cli/local/index.ts'
import { type Cluster, installChart, readSettings, startCluster, stopCluster } from '../index.ts'
import { nothingLeftOver } from './remains.ts'
import { applyExample, readyPod } from './shop.ts'

const CALLERS = 50

/** A Job whose containers call orders in their first instruction, once, and end with 0 when they were identified. */
function firstPacketJob(): object {
  const script = `require('node:http').get('http://orders.shop/', { agent: false }, answer => {
    let body = ''
    answer.on('data', chunk => { body += chunk })
    answer.on('end', () => process.exit(body.includes('sa/caller') ? 0 : 3))
  }).on('error', error => { console.error(error); process.exit(4) })`
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
          securityContext: { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            {
              name: 'caller',
              image: 'countersign.dev/examples/echo:1',
              command: ['node', '-e', script],
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
  after(async () => {
    await stopCluster(readSettings())
  })

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
