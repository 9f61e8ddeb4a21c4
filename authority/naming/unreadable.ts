import { create } from '@bufbuild/protobuf'
import type { Pod } from '../../shared/inventory/index.ts'
import type { UnreadablePolicy } from '../../shared/policy/index.ts'
import {
  type EndUserChecks,
  EndUserChecksSchema,
  MutualTlsMode,
  TokenProviderSchema,
  TokenRuleSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { EffectivePolicy } from './peer-policy.ts'
import type { ProblemList } from './problem.ts'

type Selected = Pick<Pod, 'namespace' | 'labels'>

/** Policies that cannot be understood, asked pod by pod. */
export class UnreadablePolicies {
  readonly #everywhere: readonly UnreadablePolicy[]
  readonly #byNamespace: ReadonlyMap<string, readonly UnreadablePolicy[]>

  /** A policy of the root namespace is for the whole mesh, and so is one whose namespace cannot be read. */
  constructor(policies: readonly UnreadablePolicy[], rootNamespace: string) {
    const isForAll = ({ namespace }: UnreadablePolicy): boolean => namespace === '' || namespace === rootNamespace
    this.#everywhere = policies.filter(isForAll)
    this.#byNamespace = Map.groupBy(
      policies.filter(policy => !isForAll(policy)),
      ({ namespace }) => namespace
    )
  }

  peersSelecting(pod: Selected): readonly UnreadablePolicy[] {
    return this.#selecting(pod).filter(({ kind }) => kind === 'PeerAuthentication')
  }

  endUsersSelecting(pod: Selected): readonly UnreadablePolicy[] {
    return this.#selecting(pod).filter(({ kind }) => kind !== 'PeerAuthentication')
  }

  #selecting({ namespace, labels }: Selected): readonly UnreadablePolicy[] {
    return [...this.#everywhere, ...(this.#byNamespace.get(namespace) ?? [])].filter(({ selector = {} }) =>
      Object.entries(selector).every(([key, value]) => labels[key] === value)
    )
  }
}

/**
 * What a pod accepts that a PeerAuthentication selects which cannot be understood, whatever others say. It names no
 * policy that decides: where it does not hold is told of every one that cannot be understood.
 */
export const STRICT_EVERYWHERE: EffectivePolicy = {
  mode: MutualTlsMode.STRICT,
  portModes: new Map(),
  key: `${MutualTlsMode.STRICT}`
}

/** An issuer of no token, and a key set that is never there: it is verified with a key that nobody has. */
const NO_ISSUER = { name: 'unreadable policy', issuer: 'countersign.dev/no-issuer', keySet: 'unreadable policy' }

/**
 * The same checks behind a rule that refuses every request on every port. Nobody is sent to sign in. Headers that only
 * the proxy may set are still removed, from the questions of browsers that always pass (CORS preflight).
 */
export function refusingAll({ providers, rules }: EndUserChecks): EndUserChecks {
  for (const provider of providers) delete provider.login
  return create(EndUserChecksSchema, {
    providers: [create(TokenProviderSchema, NO_ISSUER), ...providers],
    rules: [create(TokenRuleSchema, { providers: [NO_ISSUER.name], required: true }), ...rules]
  })
}

const EFFECT: Readonly<Record<UnreadablePolicy['kind'], string>> = {
  PeerAuthentication: 'the workloads that it selects accept mutual TLS alone (STRICT)',
  RequestAuthentication: 'every request to the workloads that it selects is refused with 401',
  EndUserAuthentication: 'every request to the workloads that it selects is refused with 401'
}

/** Tells of policies that cannot be understood: what is wrong, what is closed, and what to do. */
export function reportUnreadable(policies: readonly UnreadablePolicy[], problems: ProblemList): void {
  for (const { kind, namespace, name, issues } of policies)
    problems.add(
      'policy-unreadable',
      `${kind} ${namespace}/${name}`,
      `cannot be understood, so ${EFFECT[kind]}: correct or delete it; ${issues.join('; ')}`
    )
}
