import assert from 'node:assert/strict'
import { until } from '../../../cli/local/index.ts'
import type { Cluster, ClusterNode } from '../index.ts'

/** What a node holds of injected pods. Of pods that are gone it must hold nothing. */
interface Remains {
  /** Pods with a volume record. */
  readonly records: readonly string[]
  /** Pods whose key and certificate are kept. */
  readonly identities: readonly string[]
  /** Pods whose folder has a socket in it. */
  readonly sockets: readonly string[]
  /** How many proxies run. */
  readonly proxies: number
  /** How many network namespaces have rules of ours, the node's own among them. */
  readonly captured: number
  /** Rules in the network of the node itself. */
  readonly nodeRules: readonly string[]
  /** Files and folders that are deleted, and that the agent's two programs still hold open. */
  readonly heldOpen: readonly string[]
  /** Network namespaces that the privileged program holds open. */
  readonly heldNamespaces: number
}

const RECORDS = '/run/countersign/volumes'
const IDENTITIES = '/run/countersign/identities'
const PODS = '/var/lib/kubelet/pods'

export async function remainsOn(node: ClusterNode): Promise<Remains> {
  const lines = async (script: string): Promise<string[]> =>
    (await node.run(['bash', '-c', script])).stdout.split('\n').filter(line => line !== '')
  const processes = await node.processes()
  const pidOf = (part: string): number => processes.find(({ command }) => command.includes(part))?.pid ?? 0
  const descriptors = (pid: number) => lines(`ls -l /proc/${pid}/fd | sed 's/.* -> //'`)
  const open = (await Promise.all(['/app/agent/main.ts', '/app/node/main.ts'].map(pidOf).map(descriptors))).flat()
  // One line for each namespace that is captured, by whatever means; to print tables of iptables-legacy makes them.
  const legacy = 'if grep -q nat /proc/net/ip_tables_names 2>&-; then iptables-legacy-save -t nat; fi'
  const ours = `{ nft list ruleset; ${legacy}; } | grep -oEm1 'table inet countersign|COUNTERSIGN_INBOUND'`
  const rules = `for namespace in $(ls /run/netns); do nsenter --net=/run/netns/$namespace bash -c "${ours}"; done`
  return {
    records: (await lines(`cat ${RECORDS}/*.json | grep -o '"uid":"[^"]*"' | cut -d'"' -f4`)).sort(),
    identities: (await lines(`ls ${IDENTITIES} | sed 's/\\.json$//'`)).sort(),
    sockets: (await lines(`find ${PODS} -name agent.sock -type s | cut -d/ -f6`)).sort(),
    proxies: processes.filter(({ command }) => command.includes('/run/countersign/envoy.json')).length,
    captured: (await lines(`${rules}; true`)).length,
    nodeRules: await lines(`${ours}; true`),
    heldOpen: open.filter(target => target.endsWith('(deleted)')),
    heldNamespaces: open.filter(target => target.startsWith('net:[')).length
  }
}

/** What a node must hold when these injected pods run on it, and nothing besides. */
function remainsOf(uids: readonly string[]): Remains {
  const sorted = [...uids].sort()
  return {
    records: sorted,
    identities: sorted,
    sockets: sorted,
    proxies: sorted.length,
    captured: sorted.length,
    nodeRules: [],
    heldOpen: [],
    heldNamespaces: 0
  }
}

/** The injected pods of a node, as the API server lists them; `undefined` while one of them is ending. */
async function injectedOn(cluster: Cluster, node: ClusterNode): Promise<readonly string[] | undefined> {
  const selector = ['--field-selector', `spec.nodeName=${node.name}`]
  const { items } = JSON.parse(await cluster.kubectl(['get', 'pods', '-A', ...selector, '-o', 'json'])) as {
    items: {
      metadata: { uid: string; deletionTimestamp?: string }
      spec: { initContainers?: { name: string }[] }
      status: { phase: string }
    }[]
  }
  const injected = items.filter(({ spec }) => spec.initContainers?.some(({ name }) => name === 'countersign-proxy'))
  if (injected.some(({ metadata }) => metadata.deletionTimestamp !== undefined)) return undefined
  return injected.map(({ metadata }) => metadata.uid)
}

/** Waits until the nodes hold what their pods need, and nothing besides. */
export async function nothingLeftOver(cluster: Cluster): Promise<void> {
  for (const node of cluster.nodes) {
    const look = async (): Promise<true | undefined> => {
      const uids = await injectedOn(cluster, node)
      if (uids === undefined) return undefined
      assert.deepEqual(await remainsOn(node), remainsOf(uids))
      return true
    }
    await until(`nothing to be left over on ${node.name}`, look, { timeoutMs: 120_000, intervalMs: 1_000 })
  }
}
