import { holds } from './claims.ts'
import { matches } from './label.ts'
import type { Labels, Pod } from './types.ts'

/** Finds pods by UID, by name and by selector, without looking at every pod for every selector. */
export interface PodIndex {
  /** Pods of the namespace that have all labels of the selector, in the order of the list; none for an empty one. */
  select(namespace: string, selector: Labels): readonly Pod[]
  byUid(uid: string): Pod | undefined
  byName(namespace: string, name: string): Pod | undefined
  /** The pod that holds the address. */
  byAddress(address: string): Pod | undefined
  /** Whether a mirror pod has this UID, or without a UID this name. */
  isMirror(namespace: string, pod: { readonly name?: string; readonly uid?: string }): boolean
}

const NONE: readonly Pod[] = []

/** @param pods as `resolveClaims` resolved them: at most one holds an address */
export function indexPods(pods: readonly Pod[], mirrors: readonly Pod[] = []): PodIndex {
  const uids = new Map(pods.map(pod => [pod.uid, pod]))
  const names = new Map(pods.map(pod => [`${pod.namespace}/${pod.name}`, pod]))
  // No UID contains a slash.
  const mirrorKeys = new Set(mirrors.flatMap(({ uid, namespace, name }) => [uid, `${namespace}/${name}`]))
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
      addresses ??= indexAddresses(pods)
      return addresses.get(address)
    },
    isMirror: (namespace, { name, uid }) => mirrorKeys.has(uid ?? `${namespace}/${name}`)
  }
}

function indexAddresses(pods: readonly Pod[]): ReadonlyMap<string, Pod | undefined> {
  const addresses = new Map<string, Pod | undefined>()
  for (const pod of pods)
    for (const address of pod.addresses)
      if (holds(pod, address)) addresses.set(address, addresses.has(address) ? undefined : pod)
  return addresses
}

// None of the three can contain a blank.
function pairKey(namespace: string, label: string, value: string | undefined): string {
  return `${namespace} ${label} ${value}`
}
