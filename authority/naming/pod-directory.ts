import type { Inventory, Pod } from '../../shared/inventory/index.ts'
import type { MeshSettings } from './mesh-message.ts'
import { type Withheld, withheldFrom } from './withheld.ts'

/** What issuing needs to know of a pod: that it is there, whose it is, where it runs, and whether it may have one. */
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
  /** Absent: nothing is withheld. */
  readonly withheld?: Withheld
}

export interface PodDirectory {
  pod(uid: string): PodRecord | undefined
  podsOnNode(node: string): readonly PodRecord[]
  /** The pods of an account on a node. */
  podsOf(account: Pick<PodRecord, 'namespace' | 'serviceAccount'>, node: string): readonly PodRecord[]
}

type Inputs = Pick<Inventory, 'pods'> & Partial<Pick<Inventory, 'namespaces'>>
type Rules = Pick<MeshSettings, 'floor' | 'enrolment'>

/**
 * Pods without a service account are not in it: they have no identity. Every list is in the order of the inventory.
 *
 * @param previous a pod that was enrolled there stays enrolled: a label that is taken away concerns the next pods
 */
export function podDirectory(inputs: Inputs, rules: Rules = {}, previous?: Pick<PodDirectory, 'pod'>): PodDirectory {
  // In a function of its own: what is returned must not keep `previous` alive.
  const records = recordsOf(inputs, rules, previous)
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

function recordsOf(
  { pods, namespaces = [] }: Inputs,
  rules: Rules,
  previous?: Pick<PodDirectory, 'pod'>
): readonly PodRecord[] {
  const namespaceOf = new Map(namespaces.map(namespace => [namespace.name, namespace]))
  const withAccount = pods.filter(({ serviceAccount }) => serviceAccount !== '')
  return withAccount.map(pod => {
    const withheld = withheldFrom(pod, namespaceOf.get(pod.namespace), rules)
    const before = previous?.pod(pod.uid)
    const wasEnrolled = before !== undefined && before.withheld?.reason !== 'pod_not_enrolled'
    return recordOf(pod, withheld?.reason === 'pod_not_enrolled' && wasEnrolled ? undefined : withheld)
  })
}

function recordOf(pod: Pod, withheld: Withheld | undefined): PodRecord {
  const { uid, namespace, name, serviceAccount, node, phase, deletionTime } = pod
  const record = { uid, namespace, name, serviceAccount, node, phase, deletionTime }
  return Object.freeze(withheld === undefined ? record : { ...record, withheld })
}
