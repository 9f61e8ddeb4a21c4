import { networksContain } from './address.ts'
import { hasEnded } from './has-ended.ts'
import type { Pod, Service, UnheldAddress } from './types.ts'

/** The networks from which a Node gives its pods addresses; undefined: not known, and not checked. */
export type PodNetworks = (node: string | undefined) => readonly string[] | undefined

export const ANY_NETWORK: PodNetworks = () => undefined

export interface ClaimContext {
  /** A pod cannot hold the virtual address of one of them. */
  readonly services: readonly Service[]
  readonly networks: PodNetworks
  /** The pods of the previous inventory, as resolved then. */
  readonly previous: readonly Pod[]
}

export interface ResolvedPods {
  /** Each with the addresses that it reports and does not hold. Mirror pods are not among them. */
  readonly pods: readonly Pod[]
  readonly mirrors: readonly Pod[]
}

/**
 * Decides which pod holds each address. A pod claims the addresses that it reports, unless it has ended or uses the
 * network of its node. At most one pod holds an address: of several claims that of the pod that held it before, or else
 * of the pod that was created first, or else of the lower UID. What a kubelet reports is checked against its Node: an
 * address outside of the Node's networks is no claim, and neither is the virtual address of a Service.
 */
export function resolveClaims(all: readonly Pod[], context: ClaimContext): ResolvedPods {
  const pods = all.filter(({ mirror }) => mirror !== true)
  const mirrors = all.filter(({ mirror }) => mirror === true)
  const virtual = virtualAddresses(context.services)
  const unheld = new Map<Pod, UnheldAddress[]>()
  const refuse = (pod: Pod, address: UnheldAddress): void => {
    const list = unheld.get(pod)
    if (list === undefined) unheld.set(pod, [address])
    else list.push(address)
  }
  const claims = new Map<string, Pod[]>()
  for (const pod of pods) {
    if (!claimsAddresses(pod)) continue
    const networks = context.networks(pod.node)
    for (const address of pod.addresses) {
      const service = virtual.get(address)
      if (service !== undefined) refuse(pod, { address, why: 'service', holder: service })
      else if (networks !== undefined && !networksContain(networks, address))
        refuse(pod, { address, why: 'outside-node', networks })
      else {
        const others = claims.get(address)
        if (others === undefined) claims.set(address, [pod])
        else others.push(pod)
      }
    }
  }
  const previous = heldBefore(context.previous)
  for (const [address, claimants] of claims) {
    if (claimants.length === 1) continue
    const before = previous().get(address)
    const holder = claimants.find(({ uid }) => uid === before) ?? claimants.toSorted(byAge)[0]
    for (const pod of claimants)
      if (pod !== holder && holder !== undefined)
        refuse(pod, { address, why: 'other-pod', holder: `${holder.namespace}/${holder.name}` })
  }
  return { pods: pods.map(pod => withUnheld(pod, unheld.get(pod))), mirrors }
}

/** Whether a pod claims the addresses that it reports. */
const claimsAddresses = (pod: Pod): boolean => pod.hostNetwork !== true && !hasEnded(pod)

/** Whether a pod that claims addresses holds this one. */
export const holds = (pod: Pod, address: string): boolean =>
  claimsAddresses(pod) &&
  pod.addresses.includes(address) &&
  pod.unheld?.every(refused => refused.address !== address) !== false

function virtualAddresses(services: readonly Service[]): ReadonlyMap<string, string> {
  const addresses = new Map<string, string>()
  for (const { namespace, name, addresses: own } of services)
    for (const address of own) if (!addresses.has(address)) addresses.set(address, `${namespace}/${name}`)
  return addresses
}

/** The UID of the pod that held each address. Computed on first use, because disputes are rare. */
function heldBefore(pods: readonly Pod[]): () => ReadonlyMap<string, string> {
  let holders: Map<string, string> | undefined
  return () => {
    if (holders !== undefined) return holders
    holders = new Map()
    for (const pod of pods) for (const address of pod.addresses) if (holds(pod, address)) holders.set(address, pod.uid)
    return holders
  }
}

// A creation time is written by the API server alone; a pod without one comes last.
const byAge = (a: Pod, b: Pod): number =>
  (a.created ?? Number.POSITIVE_INFINITY) - (b.created ?? Number.POSITIVE_INFINITY) || (a.uid < b.uid ? -1 : 1)

function withUnheld(pod: Pod, unheld: readonly UnheldAddress[] | undefined): Pod {
  if (unheld === undefined) return pod
  const sorted = unheld.map(address => Object.freeze(address)).sort((a, b) => (a.address < b.address ? -1 : 1))
  return Object.freeze({ ...pod, unheld: Object.freeze(sorted) })
}
