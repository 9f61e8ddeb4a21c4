import { hasEnded, type Inventory, type Pod, type Service } from '../../shared/inventory/index.ts'
import {
  type Endpoints,
  EndpointsSchema,
  type Mesh,
  MeshSchema,
  type Service as ServiceMessage,
  ServiceSchema,
  type Workload,
  WorkloadSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { reportUnheldAddresses } from './claim-problems.ts'
import { endUserChecks } from './end-user-policy.ts'
import { endpointsMessage } from './endpoints-message.ts'
import { reportBelowFloor } from './floor.ts'
import { type Known, NOTHING_KNOWN } from './known.ts'
import { type Discovered, discoveredBy, reportIgnoredLogins, reportLogins } from './login.ts'
import { type MeshSettings, meshMessage } from './mesh-message.ts'
import { reportNotEnforced } from './not-enforced.ts'
import { type NamingProblem, ProblemList } from './problem.ts'
import { nameOf, Relations } from './relations.ts'
import { reuse, reuseMap } from './reuse.ts'
import { serviceMessage } from './service-message.ts'
import { reportUnchecked, reportWithoutRules } from './unchecked.ts'
import { reportUnreadable } from './unreadable.ts'
import { reportWithheld } from './withheld.ts'
import { workloadMessage } from './workload-message.ts'
import { workloadPorts } from './workload-port.ts'

/** The mesh as agents are told of it. */
export interface MeshState {
  readonly mesh: Mesh
  /** By `<namespace>/<name>`. */
  readonly services: ReadonlyMap<string, ServiceMessage>
  /** By `<namespace>/<name>` of the Service; every Service has an entry. */
  readonly endpoints: ReadonlyMap<string, Endpoints>
  /** By node, then by pod UID: pods that have a proxy, a node, and have not ended. */
  readonly workloadsByNode: ReadonlyMap<string, ReadonlyMap<string, Workload>>
  /** What to tell the mesh's operator; sorted. */
  readonly problems: readonly NamingProblem[]
}

/**
 * Works out what agents are told. Equal inventories and settings give equal states in every process, whatever was
 * before. Given the previous state, messages and maps that are equal to its own are the very same objects.
 *
 * Services without a TCP port and those of type ExternalName have no part in the mesh.
 */
export function meshState(
  inventory: Inventory,
  settings: MeshSettings,
  previous?: MeshState,
  known: Known = NOTHING_KNOWN
): MeshState {
  const problems = new ProblemList()
  reportUnreadable(inventory.unreadablePolicies, problems)
  reportWithoutRules(inventory.requestAuthentications, problems)
  reportLogins(inventory.endUserAuthentications, known, settings.keySetName, problems)
  reportUnheldAddresses(inventory.pods, problems)
  reportBelowFloor(inventory, settings, problems)
  reportWithheld(inventory, settings, problems)
  const relations = new Relations(inventory, settings.rootNamespace, problems, settings.floor)
  const builder = new Builder(settings, relations, problems, known, previous)
  reportNotEnforced(inventory.pods, relations, settings, problems)
  const { services } = relations
  return Object.freeze({
    mesh: builder.mesh(),
    services: reuseMap(previous?.services, new Map(services.map(service => builder.service(service)))),
    endpoints: reuseMap(previous?.endpoints, new Map(services.map(service => builder.endpoints(service)))),
    workloadsByNode: builder.workloadsByNode(inventory.pods),
    problems: problems.list()
  })
}

class Builder {
  readonly #settings: MeshSettings
  readonly #relations: Relations
  readonly #problems: ProblemList
  readonly #discovered: Discovered
  readonly #previous: MeshState | undefined

  constructor(
    settings: MeshSettings,
    relations: Relations,
    problems: ProblemList,
    known: Known,
    previous: MeshState | undefined
  ) {
    this.#discovered = discoveredBy(known, settings.keySetName)
    this.#settings = settings
    this.#relations = relations
    this.#problems = problems
    this.#previous = previous
  }

  mesh(): Mesh {
    const { trustDomain, clusterDomain, minimumTlsWithoutProxy, bundles } = this.#settings
    const inputs = [
      trustDomain,
      clusterDomain,
      minimumTlsWithoutProxy,
      ...bundles.flatMap(({ trustDomain, roots }) => [trustDomain, ...roots])
    ]
    return reuse(MeshSchema, this.#previous?.mesh, inputs, this.#problems, () => meshMessage(this.#settings))
  }

  service(service: Service): [string, ServiceMessage] {
    const name = nameOf(service)
    const behind = this.#relations.podsBehind(service)
    const { trustDomain } = this.#settings
    const message = reuse(
      ServiceSchema,
      this.#previous?.services.get(name),
      [trustDomain, service, ...behind],
      this.#problems,
      () => serviceMessage(service, behind, trustDomain)
    )
    return [name, message]
  }

  endpoints(service: Service): [string, Endpoints] {
    const name = nameOf(service)
    const { podOf, policyOf } = this.#relations
    const endpoints = this.#relations.endpointsOf(service)
    const pods = (endpoints?.ports ?? []).flatMap(port => port.endpoints.map(podOf))
    const message = reuse(
      EndpointsSchema,
      this.#previous?.endpoints.get(name),
      [this.#settings.trustDomain, service, endpoints, ...pods, ...pods.map(pod => pod && policyOf(pod).key)],
      this.#problems,
      problems =>
        endpointsMessage(service, endpoints, { podOf, policyOf, trustDomain: this.#settings.trustDomain, problems })
    )
    return [name, message]
  }

  workloadsByNode(pods: readonly Pod[]): MeshState['workloadsByNode'] {
    const byNode = new Map<string, Map<string, Workload>>()
    for (const pod of pods.filter(hasWorkload)) {
      const workloads = byNode.get(pod.node)
      const entry = this.#workload(pod)
      if (workloads === undefined) byNode.set(pod.node, new Map([[pod.uid, entry]]))
      else workloads.set(pod.uid, entry)
    }
    const before = this.#previous?.workloadsByNode
    const nodes = [...byNode].sort(([a], [b]) => (a < b ? -1 : 1))
    return reuseMap(before, new Map(nodes.map(([node, workloads]) => [node, reuseMap(before?.get(node), workloads)])))
  }

  #workload(pod: Pod & { readonly node: string }): Workload {
    const policy = this.#relations.policyOf(pod)
    const services = this.#relations.servicesOf(pod)
    const endUsers = this.#relations.endUserPoliciesOf(pod)
    return reuse(
      WorkloadSchema,
      this.#previous?.workloadsByNode.get(pod.node)?.get(pod.uid),
      [
        ...[pod, policy.key, ...services, ...endUsers.required, ...endUsers.accepted],
        ...(endUsers.unreadable ?? []),
        ...endUsers.required.filter(({ login }) => login !== undefined).map(this.#discovered)
      ],
      this.#problems,
      problems => {
        const checks = endUserChecks(endUsers, this.#settings.keySetName, this.#discovered)
        const ports = workloadPorts(pod, services, checks?.rules ?? [], problems)
        reportUnchecked(endUsers, ports, checks?.rules ?? [], problems)
        reportIgnoredLogins(endUsers, problems)
        return workloadMessage(pod, policy, ports, checks)
      }
    )
  }
}

function hasWorkload(pod: Pod): pod is Pod & { readonly node: string } {
  return pod.hasProxy && pod.node !== undefined && !hasEnded(pod)
}
