import { type Floor, floorOf, NO_FLOOR } from '../../shared/floor/index.ts'
import {
  type Endpoint,
  hasEnded,
  type Inventory,
  indexPods,
  type Pod,
  type PodIndex,
  type Service,
  type ServiceEndpoints
} from '../../shared/inventory/index.ts'
import type { UnreadablePolicy } from '../../shared/policy/index.ts'
import { EndUserPolicies, type SelectedEndUserPolicies } from './end-user-policy.ts'
import { raised } from './floor.ts'
import { type EffectivePolicy, PeerPolicies } from './peer-policy.ts'
import type { ProblemList } from './problem.ts'
import { STRICT_EVERYWHERE, UnreadablePolicies } from './unreadable.ts'

/** Who belongs to whom in an inventory: worked out once, then looked up. */
export class Relations {
  /** Services that have a part in the mesh, sorted by namespace and name. */
  readonly services: readonly Service[]
  readonly #pods: PodIndex
  readonly #endpoints: ReadonlyMap<string, ServiceEndpoints>
  readonly #selected = new Map<Service, readonly Pod[]>()
  readonly #selecting = new Map<Pod, Service[]>()
  readonly #policies: PeerPolicies
  readonly #endUsers: EndUserPolicies
  readonly #unreadable: UnreadablePolicies
  readonly #floor: Floor
  readonly #effective = new Map<Pod, EffectivePolicy>()

  constructor(inventory: Inventory, rootNamespace: string, problems: ProblemList, floor: Floor = NO_FLOOR) {
    this.#floor = floor
    this.#pods = indexPods(inventory.pods)
    this.#policies = new PeerPolicies(inventory.peerAuthentications, rootNamespace, problems)
    this.#endUsers = new EndUserPolicies(
      inventory.endUserAuthentications,
      inventory.requestAuthentications,
      rootNamespace
    )
    this.#unreadable = new UnreadablePolicies(inventory.unreadablePolicies, rootNamespace)
    this.#endpoints = new Map(inventory.endpoints.map(entry => [`${entry.namespace}/${entry.service}`, entry]))
    this.services = inventory.services
      .filter(({ type, ports }) => type !== 'ExternalName' && ports.length > 0)
      .sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
    for (const service of this.services) {
      const selected = this.#pods.select(service.namespace, service.selector).filter(pod => !hasEnded(pod))
      this.#selected.set(service, selected)
      for (const pod of selected) {
        const services = this.#selecting.get(pod)
        if (services === undefined) this.#selecting.set(pod, [service])
        else services.push(service)
      }
    }
  }

  endpointsOf(service: Service): ServiceEndpoints | undefined {
    return this.#endpoints.get(nameOf(service))
  }

  podOf = ({ podUid }: Endpoint): Pod | undefined => (podUid === undefined ? undefined : this.#pods.byUid(podUid))

  policyOf = (pod: Pod): EffectivePolicy => {
    const known = this.#effective.get(pod)
    if (known !== undefined) return known
    const policy =
      this.unreadablePeersOf(pod).length > 0
        ? STRICT_EVERYWHERE
        : raised(this.readablePolicyOf(pod), floorOf(this.#floor, pod.namespace))
    this.#effective.set(pod, policy)
    return policy
  }

  /** What the PeerAuthentications say that can be understood, whatever the floor and the others do. */
  readablePolicyOf(pod: Pod): EffectivePolicy {
    return this.#policies.effective(pod)
  }

  unreadablePeersOf(pod: Pod): readonly UnreadablePolicy[] {
    return this.#unreadable.peersSelecting(pod)
  }

  endUserPoliciesOf(pod: Pod): SelectedEndUserPolicies {
    const { endUserChecks } = floorOf(this.#floor, pod.namespace)
    return { ...this.#endUsers.selecting(pod, endUserChecks), unreadable: this.#unreadable.endUsersSelecting(pod) }
  }

  /** The pods that a Service selects, and those that its endpoints name; none that has ended. */
  podsBehind(service: Service): readonly Pod[] {
    const named = (this.endpointsOf(service)?.ports ?? [])
      .flatMap(({ endpoints }) => endpoints)
      .flatMap(endpoint => this.podOf(endpoint) ?? [])
      .filter(pod => !hasEnded(pod))
    return [...new Set([...(this.#selected.get(service) ?? []), ...named])]
  }

  /** The Services that select a pod, sorted by name. */
  servicesOf(pod: Pod): readonly Service[] {
    return this.#selecting.get(pod) ?? []
  }
}

export function nameOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`
}
