import type { Cluster } from './cluster.ts'
import { ClusterError } from './cluster-error.ts'
import { NODE_PROGRAMS } from './cluster-node.ts'
import { NETWORK } from './settings.ts'
import { until } from './until.ts'

const READY_MS = 60_000

/** Each says what is still missing, or nothing. */
type Check = (cluster: Cluster) => Promise<string | undefined>

const nodesAreReady: Check = async cluster => {
  const path = '{range .items[*]}{.metadata.name}={.status.conditions[?(@.type=="Ready")].status} {end}'
  const { stdout, stderr } = await cluster.kubectlOutcome(['get', 'nodes', '-o', `jsonpath=${path}`])
  const waited = cluster.nodes.filter(({ name }) => !stdout.includes(`${name}=True`))
  return waited.length === 0 ? undefined : `not Ready: ${waited.map(({ name }) => name).join(', ')} ${stderr.trim()}`
}

// Without it, no pod is admitted to the namespace.
const accountIsThere: Check = async cluster => {
  const { code, stderr } = await cluster.kubectlOutcome(['get', 'serviceaccount', 'default', '--namespace=default'])
  return code === 0 ? undefined : stderr.trim()
}

// As a pod asks: through the Service, which kube-proxy made, to CoreDNS, which has seen the API server.
const namesAreAnswered: Check = async cluster => {
  const query = ['busybox', 'nslookup', `kubernetes.default.svc.${NETWORK.domain}`, NETWORK.dnsService]
  const outcomes = await Promise.all(
    cluster.nodes.map(async node => ({ name: node.name, outcome: await node.run(query) }))
  )
  const waited = outcomes.filter(({ outcome }) => !outcome.stdout.includes(NETWORK.kubernetesService))
  return waited.length === 0 ? undefined : `no answer from DNS on ${waited.map(({ name }) => name).join(', ')}`
}

/**
 * Waits until a pod that is created now starts, on any node, and finds its way.
 *
 * @throws ClusterError saying what is missing after a minute, or which program has ended
 */
export async function clusterReady(cluster: Cluster): Promise<void> {
  for (const check of [nodesAreReady, accountIsThere, namesAreAnswered]) {
    let missing: string | undefined
    const ask = async (): Promise<true | undefined> => {
      for (const { machine } of cluster.nodes) for (const program of NODE_PROGRAMS) await machine.mustRun(program)
      missing = await check(cluster)
      return missing === undefined ? true : undefined
    }
    const logs = `see the logs in ${cluster.layout.folder}/*/log`
    await until(ask, READY_MS, () => new ClusterError(`the cluster is not ready after a minute: ${missing}`, logs))
  }
}
