import {
  type Cluster,
  installChart,
  NoClusterError,
  openCluster,
  readSettings,
  startCluster,
  stopCluster
} from '../cluster/index.ts'
import type { AtEnd } from './benchmark.ts'

/** The namespaces of a benchmark: Countersign acts in one of them. */
export const INJECTED = 'bench-injected'
export const PLAIN = 'bench-plain'

const RESTRICTED = { 'pod-security.kubernetes.io/enforce': 'restricted' }

/**
 * A cluster with Countersign and the two namespaces: the one that is up, else one that is brought up and taken down
 * again. Needs root.
 */
export async function benchCluster(atEnd: AtEnd): Promise<Cluster> {
  const cluster = runningCluster() ?? (await newCluster(atEnd))
  atEnd(async () => void (await cluster.kubectl(['delete', 'namespace', INJECTED, PLAIN, '--ignore-not-found'])))
  await cluster.apply(
    namespace(INJECTED, { 'countersign.dev/inject': 'enabled', ...RESTRICTED }),
    namespace(PLAIN, RESTRICTED)
  )
  return cluster
}

function runningCluster(): Cluster | undefined {
  try {
    return openCluster()
  } catch (thrown) {
    if (thrown instanceof NoClusterError) return undefined
    throw thrown
  }
}

async function newCluster(atEnd: AtEnd): Promise<Cluster> {
  const settings = readSettings()
  atEnd(() => stopCluster(settings))
  const cluster = await startCluster(settings)
  await installChart(cluster)
  return cluster
}

const namespace = (name: string, labels: Readonly<Record<string, string>>): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels }
})
