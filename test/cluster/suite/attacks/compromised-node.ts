import assert from 'node:assert/strict'
import { it } from 'node:test'
import { until } from '../../../../cli/local/index.ts'
import { componentPod } from '../pods.ts'
import { becomes, statusOfCall } from './calls.ts'
import { ATTACKER, LEDGER_PORT, type Victims } from './victims.ts'

const STOREFRONT = ['shop', 'storefront'] as const

export function compromisedNodeAttacks(victims: () => Victims): void {
  /** By the credentials of the kubelet of node0. */
  const asKubelet = ({ cluster }: Victims, args: readonly string[], input?: object) =>
    cluster.kubectlOutcome(
      ['--kubeconfig', cluster.layout.pki('node0.kubeconfig'), ...args],
      input === undefined ? {} : { input: JSON.stringify(input) }
    )

  /** The kubelet may read its pods and write their statuses, and may not read a status alone: it writes the whole. */
  const writeStatus = async (namespace: string, name: string, status: object): Promise<void> => {
    const got = await asKubelet(victims(), ['get', 'pod', '-n', namespace, name, '-o', 'json'])
    assert.equal(got.code, 0, got.stderr)
    const pod = JSON.parse(got.stdout)
    const path = `/api/v1/namespaces/${namespace}/pods/${name}/status`
    const written = { ...pod, status: { ...pod.status, ...status } }
    const { code, stderr } = await asKubelet(victims(), ['replace', '--raw', path, '-f', '-'], written)
    assert.equal(code, 0, stderr)
  }

  it('a kubelet cannot join a Service of another node by a mirror pod with its labels', async () => {
    const { cluster, mallory } = victims()
    const { uid } = JSON.parse(await cluster.kubectl(['get', 'node', 'node0', '-o', 'json'])).metadata
    const mirror = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'mirror-node0',
        namespace: 'shop',
        labels: { app: 'orders' },
        annotations: { 'kubernetes.io/config.mirror': 'x', 'kubernetes.io/config.source': 'file' },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'node0', uid, controller: true }]
      },
      spec: {
        nodeName: 'node0',
        enableServiceLinks: false,
        // Without a proxy: what calls it would come in the clear.
        containers: [
          { name: 'orders', image: 'x', ports: [{ name: 'http', containerPort: LEDGER_PORT }], securityContext: SECURE }
        ],
        securityContext: { runAsNonRoot: true, runAsUser: 1, seccompProfile: { type: 'RuntimeDefault' } }
      }
    }
    const node = cluster.node('node0')
    // The true kubelet would delete the mirror of a static pod that it does not have.
    await node.stop('kubelet')
    try {
      const made = await asKubelet(victims(), ['create', '-f', '-'], mirror)
      assert.equal(made.code, 0, made.stderr)
      await writeStatus('shop', 'mirror-node0', {
        phase: 'Running',
        podIP: mallory.status.podIP,
        podIPs: [{ ip: mallory.status.podIP }],
        conditions: [{ type: 'Ready', status: 'True' }]
      })
      // The EndpointSlice controller of Kubernetes takes it for a pod of orders.
      await until('the mirror pod to stand in the EndpointSlice of orders', async () => {
        const slices = await cluster.kubectl([
          ...['get', 'endpointslices', '-n', 'shop', '-l', 'kubernetes.io/service-name=orders', '-o', 'json']
        ])
        return slices.includes('mirror-node0') || undefined
      })
      for (let time = 0; time < 20; time++)
        assert.equal(await statusOfCall(cluster, STOREFRONT, 'http://orders.shop/'), 200, `call ${time}`)
    } finally {
      await cluster.kubectlOutcome(['delete', 'pod', '-n', 'shop', 'mirror-node0', '--force', '--grace-period=0'])
      await node.start('kubelet')
    }
    const logs = ['logs', '-n', ATTACKER, mallory.metadata.name, '-c', 'mallory']
    const heard = await until('the log of mallory', async () => {
      const { code, stdout } = await cluster.kubectlOutcome(logs)
      return code === 0 ? stdout : undefined
    })
    assert.equal(heard, '', 'what was meant for orders came to mallory')
  })

  it('a kubelet cannot take the address of a pod of another node', async () => {
    const { cluster, orders, mallory } = victims()
    const direct = `http://${orders.status.podIP}:8080/`
    await becomes('honest calls', 200, () => statusOfCall(cluster, STOREFRONT, direct))
    const node = cluster.node('node0')
    // So that the true kubelet does not correct it meanwhile.
    await node.stop('kubelet')
    try {
      const podIP = orders.status.podIP
      await writeStatus(ATTACKER, mallory.metadata.name, { podIP, podIPs: [{ ip: podIP }] })
      const told = await until('the operator to be told', async () => {
        // Of the one on the other node: the kubelet of this one answers nobody.
        const authority = await componentPod(cluster, 'authority', 'node1')
        const output = await cluster.kubectl(['logs', '-n', 'countersign-system', authority ?? '', '--tail=-1'])
        return output.split('\n').find(line => line.includes(mallory.metadata.name) && /address/.test(line))
      })
      assert.match(told, new RegExp(orders.status.podIP.replaceAll('.', '\\.')))
      for (let time = 0; time < 5; time++)
        assert.equal(await statusOfCall(cluster, STOREFRONT, direct), 200, `call ${time}`)
    } finally {
      await node.start('kubelet')
    }
  })
}

const SECURE = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
