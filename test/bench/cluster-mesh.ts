import {
  type Cluster,
  installChart,
  NoClusterError,
  openCluster,
  readSettings,
  startCluster,
  stopOwnCluster
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

/**
 * A cluster of its own with Countersign, taken down again. Refused where one is up.
 *
 * @param before objects that must be there before the chart
 * @param chart further arguments of `helm install`
 */
export async function newCluster(
  atEnd: AtEnd,
  { before = [], chart = [] }: { readonly before?: readonly object[]; readonly chart?: readonly string[] } = {}
): Promise<Cluster> {
  atEnd(stopOwnCluster)
  const cluster = await startCluster(readSettings())
  if (before.length > 0) await cluster.apply(...before)
  await installChart(cluster, chart)
  return cluster
}

const namespace = (name: string, labels: Readonly<Record<string, string>>): object => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels }
})
