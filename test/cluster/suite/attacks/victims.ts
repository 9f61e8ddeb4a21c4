import { keySet, newSigningKey, signed } from '../../../oidc/index.ts'
import type { Cluster } from '../../index.ts'
import { CONTAINER_SECURITY, POD_SECURITY } from '../pods.ts'
import { applyExample, type PodSeen, readyPod } from '../shop.ts'

/** What stands on the cluster before anybody attacks. */
export interface Victims {
  readonly cluster: Cluster
  /** HTTP that is declared; on node1. */
  readonly orders: PodSeen
  /** HTTP on a port of which nothing is said; on node1. */
  readonly ledger: PodSeen
  /** The honest caller; on node1, for node0 is the one that is compromised. */
  readonly storefront: PodSeen
  /** A member of the mesh in a namespace of the attacker; on node0. */
  readonly mallory: PodSeen
}

/** Port on which the application of ledger listens. */
export const LEDGER_PORT = 9000

const ISSUER = 'https://accounts.attacks.test'
const KEY = newSigningKey('ES256')

/** The namespace of the attacker. It sorts before that of the victims. */
export const ATTACKER = 'aaa'

// Tells what it heard, and from where.
const APPLICATION = `require('node:http').createServer((request, response) => {
  const { headers, method, url, socket } = request
  const seen = { method, url, remote: socket.remoteAddress, user: headers['x-user'] ?? null,
    client: headers['x-forwarded-client-cert'] ?? null }
  console.log(JSON.stringify(seen))
  response.end(JSON.stringify(seen))
}).listen(${LEDGER_PORT}, '::')`

const container = { name: 'ledger', image: 'countersign.dev/examples/echo:1', securityContext: CONTAINER_SECURITY }

/** A Deployment of one pod with an account of its own, whose container declares no port. */
function deploymentOf(name: string, namespace: string, nodeName: string): readonly object[] {
  const metadata = { name, namespace }
  const labels = { app: name }
  const spec = {
    nodeName,
    serviceAccountName: name,
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 2,
    securityContext: POD_SECURITY,
    containers: [{ ...container, name, command: ['node', '-e', APPLICATION] }]
  }
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata,
      spec: { selector: { matchLabels: labels }, template: { metadata: { labels }, spec } }
    }
  ]
}

const namespace = (name: string, labels: Readonly<Record<string, string>>): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels }
})

export async function placeVictims(cluster: Cluster): Promise<Victims> {
  const on =
    (node: string) =>
    (yaml: string): string =>
      yaml.replace('      serviceAccountName:', `      nodeName: ${node}\n      serviceAccountName:`)
  await applyExample(cluster, 'shop/00-namespace.yaml')
  await cluster.apply(namespace(ATTACKER, { 'countersign.dev/inject': 'enabled' }), namespace('plain', {}))
  await applyExample(cluster, 'shop/orders.yaml', on('node1'))
  await applyExample(cluster, 'shop/storefront.yaml', on('node1'))
  await applyExample(cluster, 'shop/guest.yaml', yaml => yaml.replaceAll('namespace: shop', 'namespace: plain'))
  await cluster.apply(...deploymentOf('ledger', 'shop', 'node1'), ...deploymentOf('mallory', ATTACKER, 'node0'), {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'ledger', namespace: 'shop' },
    spec: { selector: { app: 'ledger' }, ports: [{ port: LEDGER_PORT }] }
  })
  const [orders, ledger, storefront, mallory] = await Promise.all([
    readyPod(cluster, 'shop', 'orders'),
    readyPod(cluster, 'shop', 'ledger'),
    readyPod(cluster, 'shop', 'storefront'),
    readyPod(cluster, ATTACKER, 'mallory'),
    readyPod(cluster, 'plain', 'guest')
  ])
  return { cluster, orders, ledger, storefront, mallory }
}

/** A policy that demands a token on every path of one application of shop. */
export const demandToken = (app: string, spec: object = {}): object => ({
  apiVersion: 'countersign.dev/v1',
  kind: 'EndUserAuthentication',
  metadata: { name: app, namespace: 'shop' },
  spec: {
    selector: { matchLabels: { app } },
    issuer: ISSUER,
    jwks: keySet(KEY),
    outputClaimToHeaders: [{ header: 'x-user', claim: 'sub' }],
    ...spec
  }
})

/** A token that the policy accepts. */
export const goodToken = (): string => signed(KEY, { iss: ISSUER, sub: 'ada', exp: 4_102_444_800 })
