// Who can have what on a cluster: a node the identities of its own pods, the system namespaces no sidecar, and a mesh
// that goes on when the control plane of Kubernetes does not.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { V1Pod } from '@kubernetes/client-node'
import { until } from '../../../cli/local/index.ts'
import { type Cluster, installChart, readSettings, startCluster, stopOwnCluster } from '../index.ts'
import { componentPod, INJECT, podOf } from './pods.ts'
import { applyExample, callFrom, type PodSeen, readyPod, startLoadPod } from './shop.ts'
import type { Outcomes, PodNamed, Task } from './stolen-credentials.ts'

const SYSTEM = 'countersign-system'
const SENTENCE = 'PERMISSION_DENIED: the request was refused; the reason is in the log of the authority'

describe('trust on a cluster', { timeout: 900_000 }, () => {
  let cluster: Cluster
  let storefront: PodSeen
  let orders: PodSeen

  before(async () => {
    cluster = await startCluster({ ...readSettings(), installPackages: true })
    await installChart(cluster)
    const on =
      (node: string) =>
      (yaml: string): string =>
        yaml.replace('      serviceAccountName:', `      nodeName: ${node}\n      serviceAccountName:`)
    await applyExample(cluster, 'shop/00-namespace.yaml')
    await applyExample(cluster, 'shop/storefront.yaml', on('node0'))
    await applyExample(cluster, 'shop/orders.yaml', on('node1'))
    storefront = await readyPod(cluster, 'shop', 'storefront')
    orders = await readyPod(cluster, 'shop', 'orders')
  })
  after(stopOwnCluster)

  const logsOf = async (component: string): Promise<Record<string, unknown>[]> => {
    const selector = ['-l', `app.kubernetes.io/component=${component}`, '--tail=-1']
    const output = await cluster.kubectl(['logs', '-n', SYSTEM, ...selector])
    return output
      .split('\n')
      .filter(line => line.startsWith('{'))
      .map(line => JSON.parse(line))
  }

  it('gives a node no identity of a pod on another node, whatever its agent could send', async () => {
    const node = cluster.node('node0')
    const agent = await componentPod(cluster, 'agent', node.name)
    const { metadata } = JSON.parse(
      await cluster.kubectl(['get', 'pod', '-n', SYSTEM, agent ?? '', '-o', 'json'])
    ) as PodSeen
    const find = async (name: string): Promise<string> => {
      const script = `find /var/lib/kubelet/pods/${metadata.uid}/volumes -path '*${name}' -not -path '*/..*' | head -1`
      return (await node.run(['bash', '-c', script])).stdout.trim()
    }
    const { spec } = JSON.parse(
      await cluster.kubectl(['get', 'service', '-n', SYSTEM, 'countersign-authority', '-o', 'json'])
    ) as { spec: { clusterIP: string } }
    const named = ({ metadata: { uid } }: PodSeen, serviceAccount: string): PodNamed => ({
      uid,
      namespace: 'shop',
      serviceAccount
    })
    const task: Task = {
      authority: `${spec.clusterIP}:15012`,
      node: 'node0',
      otherNode: 'node1',
      tokenFile: await find('/kubernetes.io~projected/*/token'),
      bundleFile: await find('/bundle.pem'),
      own: named(storefront, 'storefront'),
      other: named(orders, 'orders')
    }
    const program = join(import.meta.dirname, 'stolen-credentials.ts')
    const { code, stdout, stderr } = await node.run([process.execPath, program], { input: JSON.stringify(task) })
    assert.equal(code, 0, stderr)
    assert.deepEqual(JSON.parse(stdout) as Outcomes, {
      'its own pod, by the token of that pod': 'issued',
      'its own agent': 'issued',
      'the other pod, by the token of its own pod': SENTENCE,
      'the other pod’s name for its own pod': SENTENCE,
      'the other pod, by the token of the agent': SENTENCE,
      'the other pod, renewed by the identity of the agent': SENTENCE,
      'the other pod, renewed by the identity of its own pod': SENTENCE,
      'the agent of the other node': SENTENCE
    })
    const reasons = (await logsOf('authority')).filter(({ msg }) => msg === 'certificate refused')
    assert.deepEqual(reasons.map(({ reason }) => reason).sort(), [
      'not_a_workload',
      'other_account',
      'other_name',
      'other_name',
      'other_pod',
      'other_pod'
    ])
  })

  it('tells a node of no workload of another node', async () => {
    for (const [name, own, other] of [
      ['node0', storefront, orders],
      ['node1', orders, storefront]
    ] as const) {
      const told = async (uid: string): Promise<boolean> =>
        (await cluster.node(name).run(['grep', '-qa', uid, '/run/countersign/mesh.bin'])).code === 0
      await until(`${name} to be told of its own pod`, async () => (await told(own.metadata.uid)) || undefined)
      assert.equal(await told(other.metadata.uid), false, name)
    }
  })

  it('never touches pods of kube-system and its own namespace, whatever they are labelled', async () => {
    for (const namespace of ['kube-system', SYSTEM]) {
      await cluster.kubectl(['label', 'namespace', namespace, `${INJECT}=enabled`])
      const pod = podOf('labelled', 'node0')
      const metadata = { ...pod.metadata, namespace, labels: { [INJECT]: 'enabled' } }
      const input = JSON.stringify({ ...pod, metadata })
      const made = JSON.parse(await cluster.kubectl(['create', '-f', '-', '-o', 'json'], { input })) as V1Pod
      assert.deepEqual(made.spec?.initContainers ?? [], [], namespace)
      await cluster.kubectl(['delete', 'pod', '-n', namespace, 'labelled', '--wait=false'])
      await cluster.kubectl(['label', 'namespace', namespace, `${INJECT}-`])
    }
  })

  it('admits every pod while its webhooks are replaced one after the other', async () => {
    const judge = async (): Promise<void> => {
      const input = JSON.stringify(podOf('judged', 'node0'))
      const { spec } = JSON.parse(
        await cluster.kubectl(['create', '--dry-run=server', '-f', '-', '-o', 'json'], { input })
      ) as V1Pod
      assert.equal(spec?.initContainers?.[0]?.name, 'countersign-proxy')
    }
    await cluster.kubectl(['rollout', 'restart', '-n', SYSTEM, 'deployment/countersign-webhook'])
    let over = false
    const rollout = cluster
      .kubectl(['rollout', 'status', '-n', SYSTEM, 'deployment/countersign-webhook', '--timeout=120s'])
      .finally(() => {
        over = true
      })
    let judged = 0
    for (; !over; judged++) await judge()
    await rollout
    assert.ok(judged > 5, `only ${judged} pods were judged meanwhile`)
  })

  it('mends the certificate that the API server is to trust when somebody empties it', async () => {
    const bundle = async (): Promise<string> =>
      cluster.kubectl([
        'get',
        'mutatingwebhookconfiguration',
        'countersign-webhook',
        '-o',
        'jsonpath={.webhooks[*].clientConfig.caBundle}'
      ])
    const before = await bundle()
    assert.notEqual(before, '')
    const patch = JSON.stringify([{ op: 'remove', path: '/webhooks/0/clientConfig/caBundle' }])
    const target = ['mutatingwebhookconfiguration', 'countersign-webhook']
    await cluster.kubectl(['patch', ...target, '--type=json', '-p', patch])
    await until('the bundle to be back', async () => (await bundle()) === before || undefined, { timeoutMs: 60_000 })
  })

  it('goes on while the API server is killed and started again, and sees what changes afterwards', async () => {
    // It calls while nobody can ask the API server for anything, kubectl included.
    const load = await startLoadPod(cluster, podOf('load', 'node0'), 'http://orders.shop/', 40)
    await cluster.stopProcess('apiserver', 'SIGKILL')
    await cluster.startProcess('apiserver')
    await until('the API server to answer', async () => {
      const { code } = await cluster.kubectlOutcome(['get', '--raw', '/readyz'])
      return code === 0 || undefined
    })
    // A watch that ended for good would show here: a policy, a Service with its pod, and a pod's own certificate.
    await applyExample(cluster, 'policies/peer-authentication-strict.yaml')
    await applyExample(cluster, 'shop/guest.yaml')
    await readyPod(cluster, 'shop', 'guest')
    const seen = await until('a call by the new pod', async () => {
      const got = await callFrom(cluster, 'shop', 'guest', 'http://orders.shop/')
      return typeof got !== 'string' && got.status === 200 ? got : undefined
    })
    assert.match(seen.clientCertificate ?? '', /sa\/guest/)
    const plain = podOf('plain', 'node0')
    const metadata = { ...plain.metadata, labels: { [INJECT]: 'disabled' } }
    await cluster.apply({ ...plain, metadata })
    await cluster.kubectl(['wait', '-n', 'shop', 'pod/plain', '--for=condition=Ready', '--timeout=60s'])
    const refused = await until('plaintext being refused', async () => {
      const script = `fetch('http://${orders.status.podIP}:8080/').then(a => console.log(a.status), e => console.log(e.cause?.code))`
      const said = await cluster.kubectl(['exec', '-n', 'shop', 'plain', '--', 'node', '-e', script])
      return said.trim() === '200' ? undefined : said.trim()
    })
    assert.match(refused, /ECONNRESET|UND_ERR_SOCKET/)
    const { answered, failures } = await load()
    assert.deepEqual(failures, [])
    assert.ok(answered > 300, `only ${answered} requests were answered`)
  })
})
