// The main job on a real cluster: chart installed, namespace labelled, and every pod proves who it is.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { forwardedIdentities, until } from '../../../cli/local/index.ts'
import { type Cluster, installChart, readSettings, startCluster, stopOwnCluster } from '../index.ts'
import { applyExample, callFrom, deleteExample, loadFrom, type PodSeen, podsOf, readyPod } from './shop.ts'

const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' }

describe('Countersign on a cluster', { timeout: 900_000 }, () => {
  let cluster: Cluster
  let storefront: PodSeen
  let orders: PodSeen

  before(async () => {
    const settings = readSettings()
    cluster = await startCluster({ ...settings, installPackages: true })
    await installChart(cluster)
    await cluster.apply(
      {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: 'shop', labels: { 'countersign.dev/inject': 'enabled', ...RESTRICTED } }
      },
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'plain', labels: RESTRICTED } }
    )
    const onNode =
      (node: string) =>
      (yaml: string): string =>
        yaml.replace('      serviceAccountName:', `      nodeName: ${node}\n      serviceAccountName:`)
    await applyExample(cluster, 'shop/storefront.yaml', onNode('node0'))
    await applyExample(cluster, 'shop/orders.yaml', onNode('node1'))
    await applyExample(cluster, 'shop/guest.yaml', yaml => yaml.replaceAll('namespace: shop', 'namespace: plain'))
    await applyExample(cluster, 'shop/guest.yaml')
    storefront = await readyPod(cluster, 'shop', 'storefront')
    orders = await readyPod(cluster, 'shop', 'orders')
    await readyPod(cluster, 'plain', 'guest')
  })
  after(stopOwnCluster)

  const call = (headers?: Readonly<Record<string, string>>) =>
    callFrom(cluster, 'shop', 'storefront', 'http://orders.shop/', headers)
  const callPlainly = () => callFrom(cluster, 'plain', 'guest', 'http://orders.shop/')

  it('adds exactly one container and one volume to a pod of a labelled, restricted namespace', () => {
    for (const { spec } of [storefront, orders]) {
      assert.deepEqual(
        spec.initContainers?.map(({ name }) => name),
        ['countersign-proxy']
      )
      assert.equal(spec.containers.length, 1)
      assert.deepEqual(
        spec.volumes?.map(({ name }) => name),
        ['countersign']
      )
    }
  })

  it('leaves the pods of other namespaces alone', async () => {
    const [guest] = await podsOf(cluster, 'plain', 'guest')
    assert.equal(guest?.spec.initContainers, undefined)
    assert.deepEqual(guest?.spec.volumes ?? [], [])
  })

  it('serves the SPIFFE ID of each pod’s own account', async () => {
    const guest = await readyPod(cluster, 'shop', 'guest')
    const servers = [
      { pod: orders, account: 'orders' },
      { pod: guest, account: 'guest' }
    ]
    for (const { pod, account } of servers) {
      const script = `openssl s_client -connect ${pod.status.podIP}:8080 -tls1_3 </dev/null 2>/dev/null | openssl x509 -noout -ext subjectAltName`
      const { stdout } = await cluster.node(pod.spec.nodeName).run(['bash', '-c', script])
      assert.match(stdout, new RegExp(`URI:spiffe://cluster.local/ns/shop/sa/${account}\\s*$`), account)
    }
  })

  it('carries a call across nodes over mutual TLS, and says who called, whatever the client says', async () => {
    assert.notEqual(storefront.spec.nodeName, orders.spec.nodeName)
    const forged = { 'x-forwarded-client-cert': 'URI=spiffe://cluster.local/ns/shop/sa/admin' }
    const seen = await until('a call', async () => {
      const got = await call(forged)
      return typeof got !== 'string' && got.status === 200 ? got : undefined
    })
    assert.deepEqual(forwardedIdentities(seen.clientCertificate), {
      client: 'spiffe://cluster.local/ns/shop/sa/storefront',
      server: 'spiffe://cluster.local/ns/shop/sa/orders'
    })
  })

  it('accepts plaintext from a pod without a proxy while PERMISSIVE, and refuses it under STRICT', async () => {
    assert.deepEqual(await callPlainly(), { status: 200, clientCertificate: null })
    await applyExample(cluster, 'policies/peer-authentication-strict.yaml')
    const refused = await until('plaintext being refused', async () => {
      const got = await callPlainly()
      return typeof got === 'string' ? got : undefined
    })
    assert.match(refused, /ECONNRESET|UND_ERR_SOCKET/)
    const still = await call()
    assert.ok(typeof still !== 'string' && still.status === 200, JSON.stringify(still))
  })

  it('keeps HTTP probes working under STRICT', async () => {
    await cluster.kubectl(['delete', 'pod', '-n', 'shop', '-l', 'app=orders', '--wait=true'])
    const again = await readyPod(cluster, 'shop', 'orders')
    assert.notEqual(again.metadata.uid, orders.metadata.uid)
    await deleteExample(cluster, 'policies/peer-authentication-strict.yaml')
  })

  it('loses no request while every agent is replaced, and starts pods again afterwards', async () => {
    const load = loadFrom(cluster, 'shop', 'storefront', 'http://orders.shop/', 25)
    await cluster.kubectl(['rollout', 'restart', '-n', 'countersign-system', 'daemonset/countersign-agent'])
    await cluster.kubectl([
      'rollout',
      'status',
      '-n',
      'countersign-system',
      'daemonset/countersign-agent',
      '--timeout=120s'
    ])
    const { answered, failures } = await load
    assert.deepEqual(failures, [])
    assert.ok(answered > 100, `only ${answered} requests were answered`)
    await cluster.kubectl(['delete', 'pod', '-n', 'shop', '-l', 'app=guest', '--wait=true'])
    await readyPod(cluster, 'shop', 'guest')
  })

  it('loses no request while both authorities are replaced', async () => {
    const load = loadFrom(cluster, 'shop', 'storefront', 'http://orders.shop/', 15)
    await cluster.kubectl([
      'delete',
      'pod',
      '-n',
      'countersign-system',
      '-l',
      'app.kubernetes.io/component=authority',
      '--wait=true'
    ])
    await cluster.kubectl([
      'rollout',
      'status',
      '-n',
      'countersign-system',
      'deployment/countersign-authority',
      '--timeout=120s'
    ])
    const { answered, failures } = await load
    assert.deepEqual(failures, [])
    assert.ok(answered > 100, `only ${answered} requests were answered`)
  })

  it('refuses a policy that is wrong, naming the field', async () => {
    const policy = {
      apiVersion: 'security.istio.io/v1',
      kind: 'PeerAuthentication',
      metadata: { name: 'wrong', namespace: 'shop' },
      spec: { portLevelMtls: { 8080: { mode: 'STRICT' } } }
    }
    const { code, stderr } = await cluster.kubectlOutcome(['apply', '-f', '-'], { input: JSON.stringify(policy) })
    assert.notEqual(code, 0)
    assert.match(stderr, /portLevelMtls|selector/)
  })

  it('is not uninstalled while pods depend on it, and leaves nothing behind when none does', async () => {
    await assert.rejects(cluster.helm(['uninstall', 'countersign', '-n', 'countersign-system', '--timeout', '60s']))
    await cluster.kubectl(['delete', 'namespace', 'shop', '--wait=true', '--timeout=120s'])
    await cluster.helm(['uninstall', 'countersign', '-n', 'countersign-system', '--wait', '--timeout', '120s'])
    const kinds = 'csidriver,mutatingwebhookconfiguration,validatingwebhookconfiguration,clusterrole,clusterrolebinding'
    const left = await cluster.kubectl(['get', kinds, '-o', 'name'])
    assert.doesNotMatch(left, /countersign/)
    for (const node of ['node0', 'node1']) {
      const folders = '/var/lib/kubelet/plugins_registry /run/countersign/volumes'
      const { stdout } = await cluster.node(node).run(['bash', '-c', `find ${folders} -type f -o -type s 2>/dev/null`])
      assert.equal(stdout, '', node)
    }
  })
})
