import { matches } from './label.ts'
import type { Labels, Pod } from './types.ts'

/** Finds pods by UID, by name and by selector, without looking at every pod for every selector. */
export interface PodIndex {
  /** Pods of the namespace that have all labels of the selector, in the order of the list; none for an empty one. */
  select(namespace: string, selector: Labels): readonly Pod[]
  byUid(uid: string): Pod | undefined
  byName(namespace: string, name: string): Pod | undefined
  /** The pod that has the address; none when several do, as on the network of a node. Pods that ended have none. */
  byAddress(address: string): Pod | undefined
}

const NONE: readonly Pod[] = []

export function indexPods(pods: readonly Pod[]): PodIndex {
  const uids = new Map(pods.map(pod => [pod.uid, pod]))
  const names = new Map(pods.map(pod => [`${pod.namespace}/${pod.name}`, pod]))
  let addresses: ReturnType<typeof indexAddresses> | undefined
  const pairs = new Map<string, Pod[]>()
  for (const pod of pods)
    for (const label in pod.labels) {
      const key = pairKey(pod.namespace, label, pod.labels[label])
      const list = pairs.get(key)
      if (list === undefined) pairs.set(key, [pod])
      else list.push(pod)
    }
  return {
    select(namespace, selector) {
      let fewest: readonly Pod[] | undefined
      for (const label in selector) {
        const candidates = pairs.get(pairKey(namespace, label, selector[label])) ?? NONE
        if (fewest === undefined || candidates.length < fewest.length) fewest = candidates
      }
      return fewest?.filter(pod => matches(selector, pod.labels)) ?? NONE
    },
    byUid: uid => uids.get(uid),
    byName: (namespace, name) => names.get(`${namespace}/${name}`),
    byAddress: address => {
      // Seldom asked for: only of slices that somebody wrote by hand.
      addresses ??= indexAddresses(pods)
      return addresses.get(address)
    }
  }
}

function indexAddresses(pods: readonly Pod[]): ReadonlyMap<string, Pod | undefined> {
  const addresses = new Map<string, Pod | undefined>()
  for (const pod of pods)
    if (!hasEnded(pod))
      for (const address of pod.addresses) addresses.set(address, addresses.has(address) ? undefined : pod)
  return addresses
}

/** Its containers have stopped for good: it serves nobody, and its address may be another's. */
export function hasEnded({ phase }: Pod): boolean {
  return phase === 'Succeeded' || phase === 'Failed'
}

// None of the three can contain a blank.
function pairKey(namespace: string, label: string, value: string | undefined): string {
  return `${namespace} ${label} ${value}`
}
