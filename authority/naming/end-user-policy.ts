import { create } from '@bufbuild/protobuf'
import type { Inventory, Labels, Pod } from '../../shared/inventory/index.ts'
import type {
  EndUserAuthentication,
  RequestAuthentication,
  TokenSource,
  UnreadablePolicy
} from '../../shared/policy/index.ts'
import {
  type EndUserChecks,
  EndUserChecksSchema,
  TokenHeaderSchema,
  type TokenProvider,
  TokenProviderSchema,
  type TokenRule,
  TokenRuleSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { acceptingRules } from './accepting-rules.ts'
import { type Discovered, loginMessage, loginOf } from './login.ts'
import type { KeySetNames } from './mesh-message.ts'
import { requiredProviders, requireTokens } from './required-tokens.ts'
import { refusingAll } from './unreadable.ts'

/**
 * The policies on end users that select one pod, the oldest first, under a floor of end-user checks those of the root
 * namespace before all others; the same objects as in the inventory.
 */
export interface SelectedEndUserPolicies {
  readonly required: readonly EndUserAuthentication[]
  readonly accepted: readonly RequestAuthentication[]
  /** Those that cannot be understood. Where there are some, every request is refused. */
  readonly unreadable?: readonly UnreadablePolicy[]
}

/**
 * The RequestAuthentications and EndUserAuthentications of a mesh, asked pod by pod. All that select a pod hold
 * together: those of its namespace and those of the root namespace, which are for the whole mesh.
 *
 * Source: Istio, RequestAuthentication reference.
 */
export class EndUserPolicies {
  readonly #required: Scopes<EndUserAuthentication>
  readonly #accepted: Scopes<RequestAuthentication>

  constructor(
    required: readonly EndUserAuthentication[],
    accepted: readonly RequestAuthentication[],
    rootNamespace: string
  ) {
    this.#required = new Scopes(required, rootNamespace)
    this.#accepted = new Scopes(accepted, rootNamespace)
  }

  /** @param rootFirst those of the root namespace come before older ones: the operator's floor */
  selecting(pod: Pick<Pod, 'namespace' | 'labels'>, rootFirst = false): SelectedEndUserPolicies {
    const [required, accepted] = [this.#required.selecting(pod), this.#accepted.selecting(pod)]
    return rootFirst ? { required: this.#required.rootFirst(required), accepted } : { required, accepted }
  }
}

/** Every source of tokens that a policy names, whether the policy selects a pod or not. */
export const tokenSources = ({
  requestAuthentications,
  endUserAuthentications
}: Pick<Inventory, 'requestAuthentications' | 'endUserAuthentications'>): readonly TokenSource[] => [
  ...endUserAuthentications.map(({ source }) => source),
  ...requestAuthentications.flatMap(({ rules }) => rules)
]

interface Policy {
  readonly namespace: string
  readonly name: string
  readonly creationTimestamp?: number
  readonly selector?: Labels
}

class Scopes<P extends Policy> {
  readonly #rootNamespace: string
  readonly #byNamespace = new Map<string, P[]>()

  constructor(policies: readonly P[], rootNamespace: string) {
    this.#rootNamespace = rootNamespace
    for (const policy of policies) {
      const list = this.#byNamespace.get(policy.namespace)
      if (list === undefined) this.#byNamespace.set(policy.namespace, [policy])
      else list.push(policy)
    }
  }

  selecting({ namespace, labels }: Pick<Pod, 'namespace' | 'labels'>): readonly P[] {
    return [...new Set([namespace, this.#rootNamespace])]
      .flatMap(scope => this.#byNamespace.get(scope) ?? [])
      .filter(({ selector = {} }) => Object.entries(selector).every(([key, value]) => labels[key] === value))
      .sort(byAge)
  }

  rootFirst(policies: readonly P[]): readonly P[] {
    const isOfRoot = ({ namespace }: P): boolean => namespace === this.#rootNamespace
    return [...policies.filter(isOfRoot), ...policies.filter(policy => !isOfRoot(policy))]
  }
}

// A policy from a file has no time and counts as the oldest, as a zero time does in Istio.
function byAge(a: Policy, b: Policy): number {
  const age = (a.creationTimestamp ?? 0) - (b.creationTimestamp ?? 0)
  if (age !== 0) return age
  return `${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1
}

/**
 * What a workload asks of tokens; undefined where no policy selects it. A path belongs to the first
 * EndUserAuthentication that protects it; RequestAuthentications hold where none does, but a token that one of their
 * rules requires must be there in any case, except on ports that its policy exempts.
 *
 * @param discovered the same object for a policy while its issuer says the same
 */
export function endUserChecks(
  policies: SelectedEndUserPolicies,
  keySetName: KeySetNames,
  discovered: Discovered
): EndUserChecks | undefined {
  const { required, accepted, unreadable = [] } = policies
  if (required.length + accepted.length + unreadable.length === 0) return undefined
  const own = required.map(policy => {
    const name = `EndUserAuthentication/${policy.namespace}/${policy.name}`
    const provider = providerOf(name, policy.source, keySetName)
    const { login } = policy
    if (login !== undefined && policy === loginOf(policies))
      provider.login = loginMessage(policy, login, discovered(policy))
    return { provider: withDefaults(provider), rule: requiredRule(policy, provider.name) }
  })
  // By issuer, so that the order of files and of creation says nothing.
  const others = accepted
    .flatMap(({ namespace, name, rules, exemptPorts }) =>
      rules.map((source, index) => ({
        provider: providerOf(`RequestAuthentication/${namespace}/${name}/${index}`, source, keySetName),
        exemptPorts
      }))
    )
    .sort((a, b) => compare(a.provider.issuer, b.provider.issuer) || compare(a.provider.name, b.provider.name))
  const checks = create(EndUserChecksSchema, {
    providers: [...own, ...others].map(({ provider }) => provider),
    rules: [...requireTokens([...own.map(({ rule }) => rule), ...acceptingRules(others)], requiredProviders(accepted))]
  })
  return unreadable.length === 0 ? checks : refusingAll(checks)
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function requiredRule(policy: EndUserAuthentication, provider: string): TokenRule {
  const { includePaths, excludePaths, methods, exemptPorts } = policy
  return create(TokenRuleSchema, {
    includePaths: [...includePaths],
    excludePaths: [...excludePaths],
    methods: [...methods],
    providers: [provider],
    required: true,
    exemptPorts: [...exemptPorts]
  })
}

function providerOf(name: string, source: TokenSource, keySetName: KeySetNames): TokenProvider {
  return create(TokenProviderSchema, {
    name,
    issuer: source.issuer,
    audiences: [...source.audiences],
    keySet: keySetName(source),
    fromHeaders: source.fromHeaders.map(({ name, prefix }) => ({ name, prefix })),
    fromParams: [...source.fromParams],
    fromCookies: [...source.fromCookies],
    forward: source.forwardOriginalToken,
    payloadHeader: source.outputPayloadToHeader ?? '',
    claimHeaders: source.outputClaimToHeaders.map(({ header, claim }) => ({ header, claim })),
    spaceDelimitedClaims: [...source.spaceDelimitedClaims]
  })
}

/**
 * Our own kind is stricter than Istio's: a token that never ends is refused (RFC 9068, section 2.2, and OpenID Connect
 * Core, section 2, both have `exp`), and none is looked for in the address, which ends up in logs (RFC 6750,
 * section 5.3).
 */
function withDefaults(provider: TokenProvider): TokenProvider {
  provider.requireExpiration = true
  const { fromHeaders, fromParams, fromCookies } = provider
  if (fromHeaders.length + fromParams.length + fromCookies.length === 0)
    provider.fromHeaders = [create(TokenHeaderSchema, { name: 'authorization', prefix: 'Bearer ' })]
  return provider
}
