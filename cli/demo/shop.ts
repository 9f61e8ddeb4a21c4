import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { V1Deployment } from '@kubernetes/client-node'
import { type Answer, call, type LocalMesh, podFromDeployment, type RunningPod } from '../local/index.ts'
import type { Report } from './report.ts'

const EXAMPLES = join(import.meta.dirname, '../../examples')

/** The mesh of the demo with its pods: whom the steps talk about. */
export interface Shop {
  readonly mesh: LocalMesh
  readonly storefront: RunningPod
  readonly orders: RunningPod
  readonly deployments: ReadonlyMap<string, V1Deployment>
  /** A call as the storefront's application makes it: through its own proxy. */
  callOrders(headers?: Readonly<Record<string, string>>): Promise<Answer>
  /** A call by somebody without a proxy and without an identity, straight to the pod. */
  callOrdersPlainly(): Promise<Answer>
  applyExample(path: string): Promise<void>
}

export const ORDERS_URL = 'http://orders.shop/'

/** Starts programs and pods, saying what happens. */
export async function startShop(
  mesh: LocalMesh,
  deployments: ReadonlyMap<string, V1Deployment>,
  report: Report
): Promise<Shop> {
  report.title('Starting the mesh')
  await mesh.start()
  report.say(
    'authority (issues certificates), webhook (injects proxies) and agent (serves this node’s proxies) are ready'
  )
  const example = async (path: string): Promise<string> => readFile(join(EXAMPLES, path), 'utf8')
  const applyExample = async (path: string): Promise<void> =>
    mesh.applyText(path.replaceAll('/', '-'), await example(path))
  await applyExample('shop/00-namespace.yaml')
  await applyExample('shop/orders.yaml')
  await applyExample('shop/storefront.yaml')
  await applyExample('shop/guest.yaml')

  report.title('Two pods in a namespace with the label countersign.dev/inject: enabled')
  const start = (name: string): Promise<RunningPod> => {
    const deployment = deployments.get(name)
    if (deployment === undefined) throw new Error(`examples/shop has no Deployment ${name}`)
    return mesh.run(podFromDeployment(deployment, mesh.placement()))
  }
  const [storefront, orders] = await Promise.all([start('storefront'), start('orders')])
  for (const { pod } of [storefront, orders]) {
    const added = pod.manifest.spec?.initContainers?.map(container => container.name).join(', ')
    const volumes = pod.manifest.spec?.volumes?.map(volume => volume.name).join(', ')
    report.say(
      `${pod.name} runs as service account ${pod.serviceAccount}; the webhook added container ${added} and volume ${volumes}`
    )
  }

  return {
    mesh,
    storefront,
    orders,
    deployments,
    callOrders: (headers = {}) => call({ url: ORDERS_URL, through: `${storefront.pod.address}:15001`, headers }),
    callOrdersPlainly: () => call({ url: `http://${orders.pod.address}:8080/` }),
    applyExample
  }
}
