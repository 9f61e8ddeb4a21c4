import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type Answer,
  call,
  LocalMesh,
  podFromDeployment,
  type RunningPod,
  readDeployments,
  readManifests,
  until
} from '../../cli/local/index.ts'
import { findEnvoy } from '../../shared/config/index.ts'

const EXAMPLES = join(import.meta.dirname, '../../examples')
export const ORDERS_URL = 'http://orders.shop/'

/** A mesh with a storefront that calls orders, all of it real programs; see cli/local for what is played. */
export interface TestShop {
  readonly mesh: LocalMesh
  readonly storefront: RunningPod
  readonly orders: RunningPod
  /** `host:port` of the storefront's proxy. */
  readonly proxy: string
  callOrders(headers?: Readonly<Record<string, string>>): Promise<Answer>
  /** Another pod of a Deployment of the examples, not started yet. */
  newPod(
    deployment: 'storefront' | 'orders' | 'guest',
    address?: RunningPod
  ): Promise<ReturnType<typeof podFromDeployment>>
  /** Ends every process and removes every file. */
  close(): Promise<void>
}

export interface TestShopOptions {
  /** Each test file has a network of its own, so that files can run side by side. */
  readonly network: string
  readonly certificateLifetime: string
  /** Variables for every program, beside those of this machine. */
  readonly environment?: Readonly<Record<string, string>>
  /** Only the mesh: no pods yet. */
  readonly empty?: true
}

export async function startTestMesh({
  network,
  certificateLifetime,
  environment = {}
}: TestShopOptions): Promise<{ mesh: LocalMesh; close(): Promise<void> }> {
  const folder = await mkdtemp('/tmp/countersign-test-')
  const { envoy, environment: machine } = findEnvoy()
  const mesh = new LocalMesh({
    folder,
    network,
    certificateLifetime,
    envoy,
    environment: { ...machine, ...environment }
  })
  const close = async (): Promise<void> => {
    await mesh.stop()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await mesh.start()
    for (const file of ['00-namespace', 'orders', 'storefront', 'guest'])
      await mesh.applyText(file, await readFile(join(EXAMPLES, 'shop', `${file}.yaml`), 'utf8'))
  } catch (thrown) {
    await close()
    throw thrown
  }
  return { mesh, close }
}

export async function startTestShop(options: TestShopOptions): Promise<TestShop> {
  const { mesh, close } = await startTestMesh(options)
  try {
    const deployments = readDeployments(await readManifests(join(EXAMPLES, 'shop')))
    const newPod: TestShop['newPod'] = async (name, place) => {
      const deployment = deployments.get(name)
      if (deployment === undefined) throw new Error(`examples/shop has no Deployment ${name}`)
      const placement =
        place === undefined
          ? mesh.placement()
          : { node: mesh.node, address: place.pod.address, applicationAddress: place.pod.applicationAddress }
      return podFromDeployment(deployment, placement)
    }
    const storefront = await mesh.run(await newPod('storefront'))
    const orders = await mesh.run(await newPod('orders'))
    const proxy = `${storefront.pod.address}:15001`
    const callOrders: TestShop['callOrders'] = (headers = {}) => call({ url: ORDERS_URL, through: proxy, headers })
    await until('the first call', async () => ((await callOrders()).status === 200 ? true : undefined))
    return { mesh, storefront, orders, proxy, callOrders, newPod, close }
  } catch (thrown) {
    await close()
    throw thrown
  }
}

/** Applies an example policy to the mesh. */
export async function applyPolicy(mesh: LocalMesh, name: string): Promise<void> {
  await mesh.applyText(name, await readFile(join(EXAMPLES, 'policies', `${name}.yaml`), 'utf8'))
}
