import type { Inventory, Pod } from '../../shared/inventory/index.ts'

/** What issuing needs to know of a pod: that it is there, whose it is, and where it runs. */
export interface PodRecord {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly serviceAccount: string
  /** Undefined until it is scheduled. */
  readonly node: string | undefined
  readonly phase: Pod['phase']
  /** When it shall be gone, in milliseconds since the epoch; undefined unless it is terminating. */
  readonly deletionTime: number | undefined
}

export interface PodDirectory {
  pod(uid: string): PodRecord | undefined
  podsOnNode(node: string): readonly PodRecord[]
  /** The pods of an account on a node. */
  podsOf(account: Pick<PodRecord, 'namespace' | 'serviceAccount'>, node: string): readonly PodRecord[]
}

/** Pods without a service account are not in it: they have no identity. Every list is in the order of the inventory. */
export function podDirectory({ pods }: Pick<Inventory, 'pods'>): PodDirectory {
  const records = pods.filter(({ serviceAccount }) => serviceAccount !== '').map(recordOf)
  const byUid = new Map(records.map(record => [record.uid, record]))
  const byNode = Map.groupBy(records, ({ node }) => node)
  const podsOnNode = (node: string): readonly PodRecord[] => byNode.get(node) ?? []
  return {
    pod: uid => byUid.get(uid),
    podsOnNode,
    podsOf: ({ namespace, serviceAccount }, node) =>
      podsOnNode(node).filter(pod => pod.namespace === namespace && pod.serviceAccount === serviceAccount)
  }
}

function recordOf({ uid, namespace, name, serviceAccount, node, phase, deletionTime }: Pod): PodRecord {
  return Object.freeze({ uid, namespace, name, serviceAccount, node, phase, deletionTime })
}
