import { existsSync, readdirSync } from 'node:fs'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Image } from '../../tools/images/index.ts'
import { Cluster, type ClusterDescription } from './cluster.ts'
import { ClusterError } from './cluster-error.ts'
import type { ClusterNode } from './cluster-node.ts'
import { apiServerReady, startApiServer, startControllers } from './control-plane.ts'
import { saveHostState } from './host-state.ts'
import { containerdVersion, ImageCache } from './image-cache.ts'
import { baseImages, checkoutImages } from './images.ts'
import { Kubectl } from './kubectl.ts'
import { releaseLock, takeLock } from './lock.ts'
import { createNetwork } from './network.ts'
import { createPki } from './pki.ts'
import { Progress } from './progress.ts'
import { type ProvidedTool, placeTools, provideTools } from './provide-tools.ts'
import { clusterReady } from './readiness.ts'
import { provideRequirements, refuseMachine } from './requirements.ts'
import { type Layout, layoutOf, nodeNames, type Settings } from './settings.ts'
import { settleAll } from './settle-all.ts'

const IMAGE_CACHE = join(import.meta.dirname, '../../.cache/cluster-nodes')

export interface StartOptions extends Settings {
  /** Images of this checkout to give to the nodes, by short name; all of them without. */
  readonly images?: readonly string[]
}

/**
 * Brings a cluster up: control plane, nodes, images. It stays when this process ends; `stopCluster` takes it down,
 * also after a failure half-way, and `stopOwnCluster` does that only where this process brought it up, or began to.
 *
 * @throws ClusterError when something is missing, there is a cluster already, or a program does not start
 */
export async function startCluster(options: StartOptions, progress = new Progress()): Promise<Cluster> {
  refuseMachine()
  const layout = layoutOf(options.folder)
  takeLock(layout.folder)
  const { tools, images } = await prepare(options, layout, progress).catch(thrown => {
    // Nothing was made yet that would have to be taken down.
    releaseLock()
    throw thrown
  })
  const description = { kubernetes: options.kubernetes, nodes: options.nodes, ready: false }
  await claimFolder(layout, description)
  await saveHostState(layout.hostState)
  await placeTools(tools, layout)
  const cluster = new Cluster(layout, description)
  const title = `starting Kubernetes ${options.kubernetes} with ${options.nodes} node(s)`
  await progress
    .step(title, () => startMachines(cluster, layout, images))
    .catch(thrown => {
      progress.say('what was started is still there, with its logs; `npm run cluster down` removes it')
      throw thrown
    })
  const finished = { ...description, ready: true }
  await describe(layout, finished)
  return new Cluster(layout, finished)
}

interface Prepared {
  readonly tools: readonly ProvidedTool[]
  readonly images: readonly Image[]
}

async function prepare(options: StartOptions, layout: Layout, progress: Progress): Promise<Prepared> {
  refuseFolder(layout)
  await provideRequirements(options.installPackages, progress)
  const tools = await provideTools(options, progress)
  const images = await progress.step('making the images', async () => [
    ...(await baseImages()),
    ...(await checkoutImages(options.images))
  ])
  return { tools, images }
}

async function startMachines(cluster: Cluster, layout: Layout, images: readonly Image[]): Promise<void> {
  const names = nodeNames(cluster.description.nodes)
  const kubectl = Kubectl.kubectl(layout)
  await settleAll([createPki(layout, names), createNetwork(names)])
  await cluster.control.boot()
  await startApiServer(cluster.control, layout)
  // Images are unpacked while the API server starts; a node joins when it has the sandbox of its pods.
  await settleAll([
    apiServerReady(cluster.control, kubectl).then(() => startControllers(cluster.control, layout, kubectl)),
    startRuntimes(cluster.nodes, images)
  ])
  await settleAll(cluster.nodes.map(node => node.join()))
  await clusterReady(cluster)
}

/** Starts containerd on every node, with the images. */
async function startRuntimes(nodes: readonly ClusterNode[], images: readonly Image[]): Promise<void> {
  const cache = new ImageCache(IMAGE_CACHE, await containerdVersion())
  const start = async (node: ClusterNode): Promise<void> => {
    await cache.copyTo(node.containerdRoot)
    await node.startRuntime()
  }
  const missing = cache.missing(images)
  if (missing.length === 0) return settleAll(nodes.map(start))
  // The first imports them for all.
  const [first, ...others] = nodes as readonly [ClusterNode, ...ClusterNode[]]
  await start(first)
  await first.load(missing)
  await first.stop('containerd')
  await cache.replaceBy(first.containerdRoot, missing)
  await settleAll([first.start('containerd').then(() => first.runtimeReady()), ...others.map(start)])
}

// What takes a cluster down removes its folder: it must not be one that holds anything else.
function refuseFolder(layout: Layout): void {
  if (existsSync(layout.description))
    throw new ClusterError(`${layout.folder} holds what is left of a cluster`, 'run `npm run cluster down` first')
  if (existsSync(layout.folder) && readdirSync(layout.folder).length > 0)
    throw new ClusterError(`${layout.folder} is not empty`, 'choose another folder with CLUSTER, or remove it')
}

async function claimFolder(layout: Layout, description: ClusterDescription): Promise<void> {
  await mkdir(layout.folder, { recursive: true })
  // Keys of the cluster are in it.
  await chmod(layout.folder, 0o700)
  await describe(layout, description)
}

const describe = ({ description }: Layout, content: ClusterDescription): Promise<void> =>
  writeFile(description, JSON.stringify(content))
