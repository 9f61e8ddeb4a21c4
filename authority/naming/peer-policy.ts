import type { Labels, Pod } from '../../shared/inventory/index.ts'
import type { PeerAuthentication } from '../../shared/policy/index.ts'
import { MutualTlsMode } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { NamingProblem, ProblemList } from './problem.ts'

/** What a workload accepts. */
export interface EffectivePolicy {
  readonly mode: MutualTlsMode
  /** By workload port, only of ports that differ from `mode`. */
  readonly portModes: ReadonlyMap<number, MutualTlsMode>
  /** Equal for equal policies, and only for them. */
  readonly key: string
  /** The policies that it comes from, as problems name them; absent where none says anything. */
  readonly decidedBy?: { readonly mode?: string; readonly ports?: string }
}

/** UNSET is none of these: it means what the next wider policy says. */
const MODES: Readonly<Partial<Record<PeerAuthentication['mode'], MutualTlsMode>>> = {
  DISABLE: MutualTlsMode.DISABLE,
  PERMISSIVE: MutualTlsMode.PERMISSIVE,
  STRICT: MutualTlsMode.STRICT
}

/**
 * The PeerAuthentications of a mesh, asked pod by pod: mesh-wide, then namespace, then workload, each overriding the
 * one before unless it is UNSET; PERMISSIVE when none says anything. Of several of one scope the oldest holds, then
 * the first by name. A policy with a selector in the root namespace is ignored, even for the pods there.
 *
 * Source: Istio, PeerAuthentication reference; pilot/pkg/security/authn/policy_applier.go, ComposePeerAuthentication.
 */
export class PeerPolicies {
  readonly #mesh: PeerAuthentication | undefined
  readonly #namespaces: ReadonlyMap<string, PeerAuthentication>
  readonly #workloads: ReadonlyMap<string, readonly PeerAuthentication[]>
  readonly #problems: ProblemList

  constructor(policies: readonly PeerAuthentication[], rootNamespace: string, problems: ProblemList) {
    this.#problems = problems
    const byAge = [...policies].sort(compareAge)
    const namespaces = new Map<string, PeerAuthentication>()
    const workloads = new Map<string, PeerAuthentication[]>()
    for (const policy of byAge)
      if (policy.selector === undefined) {
        const older = namespaces.get(policy.namespace)
        if (older === undefined) namespaces.set(policy.namespace, policy)
        else this.#report('policy-ignored', policy, `is ignored: ${nameOf(older)} is older and for the same namespace`)
      } else if (policy.namespace === rootNamespace)
        this.#report(
          'policy-ignored',
          policy,
          'is ignored: a policy with a selector has no effect in the root namespace'
        )
      else {
        const list = workloads.get(policy.namespace)
        if (list === undefined) workloads.set(policy.namespace, [policy])
        else list.push(policy)
      }
    this.#mesh = namespaces.get(rootNamespace)
    // What holds for the whole mesh is not asked again as a policy of its own namespace.
    namespaces.delete(rootNamespace)
    this.#namespaces = namespaces
    this.#workloads = workloads
  }

  effective(pod: Pick<Pod, 'namespace' | 'labels'>): EffectivePolicy {
    const own = this.#workloadPolicy(pod)
    const scopes = [own, this.#namespaces.get(pod.namespace), this.#mesh]
    const deciding = scopes.find(policy => policy !== undefined && policy.mode !== 'UNSET')
    const mode = MODES[deciding?.mode ?? 'PERMISSIVE'] ?? MutualTlsMode.PERMISSIVE
    const portModes = new Map<number, MutualTlsMode>()
    for (const [port, written] of own?.portModes ?? []) {
      const portMode = MODES[written] ?? mode
      if (portMode !== mode) portModes.set(port, portMode)
    }
    const ports = [...portModes].sort(([a], [b]) => a - b).map(([port, portMode]) => `${port}=${portMode}`)
    const decidedBy = {
      ...(deciding === undefined ? {} : { mode: nameOf(deciding) }),
      ...(own === undefined ? {} : { ports: nameOf(own) })
    }
    return { mode, portModes, key: [mode, ...ports].join(' '), decidedBy }
  }

  #workloadPolicy({ namespace, labels }: Pick<Pod, 'namespace' | 'labels'>): PeerAuthentication | undefined {
    const [first, ...others] = (this.#workloads.get(namespace) ?? []).filter(({ selector }) =>
      selects(selector, labels)
    )
    if (first === undefined) return undefined
    for (const other of others)
      this.#report(
        'policy-overridden',
        other,
        `is ignored for pods that ${nameOf(first)} selects, too: that one is older`
      )
    return first
  }

  #report(kind: NamingProblem['kind'], policy: PeerAuthentication, message: string): void {
    this.#problems.add(kind, nameOf(policy), message)
  }
}

/** The mode of one port of a workload. */
export function modeOfPort({ mode, portModes }: EffectivePolicy, port: number): MutualTlsMode {
  return portModes.get(port) ?? mode
}

function selects(selector: Labels | undefined, labels: Labels): boolean {
  return Object.entries(selector ?? {}).every(([key, value]) => labels[key] === value)
}

// A policy from a file has no time and counts as the oldest, as a zero time does in Istio.
function compareAge(a: PeerAuthentication, b: PeerAuthentication): number {
  const age = (a.creationTimestamp ?? 0) - (b.creationTimestamp ?? 0)
  if (age !== 0) return age
  return nameOf(a) < nameOf(b) ? -1 : 1
}

function nameOf({ namespace, name }: PeerAuthentication): string {
  return `PeerAuthentication ${namespace}/${name}`
}
