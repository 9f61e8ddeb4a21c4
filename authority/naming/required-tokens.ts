import { create } from '@bufbuild/protobuf'
import type { RequestAuthentication } from '../../shared/policy/index.ts'
import { type TokenRule, TokenRuleSchema } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { portGroups } from './port-groups.ts'

// `presence: REQUIRED` in a rule of a RequestAuthentication: its token must be there and valid, whatever other tokens
// there are (istio.io/api 1.32, JWTRule).

/** A provider whose token is required, and the ports on which its policy is not enforced. */
export interface RequiredProvider {
  readonly name: string
  readonly exemptPorts: readonly number[]
}

/** The providers whose tokens are required, sorted by name. */
export const requiredProviders = (policies: readonly RequestAuthentication[]): readonly RequiredProvider[] =>
  policies
    .flatMap(({ namespace, name, rules, exemptPorts }) =>
      rules.flatMap(({ required }, index) =>
        required === true ? [{ name: `RequestAuthentication/${namespace}/${name}/${index}`, exemptPorts }] : []
      )
    )
    .sort((a, b) => (a.name < b.name ? -1 : 1))

/**
 * The same rules, demanding these tokens: a rule of an EndUserAuthentication beside its own, except on ports that the
 * policy of a token exempts, for which it is followed by rules that demand the others; and a rule that accepts tokens
 * those of its providers that are among them. There its other providers stay optional.
 */
export function requireTokens(
  rules: readonly TokenRule[],
  providers: readonly RequiredProvider[]
): readonly TokenRule[] {
  const names = new Set(providers.map(({ name }) => name))
  return rules.flatMap(rule => (rule.required ? besideItsOwn(rule, providers) : [ofItsOwn(rule, names)]))
}

function besideItsOwn(rule: TokenRule, providers: readonly RequiredProvider[]): readonly TokenRule[] {
  return portGroups(providers, rule.exemptPorts).map(({ names, exemptPorts }) =>
    create(TokenRuleSchema, {
      ...rule,
      alsoRequired: [...names],
      exemptPorts: [...rule.exemptPorts, ...exemptPorts]
    })
  )
}

function ofItsOwn(rule: TokenRule, names: ReadonlySet<string>): TokenRule {
  const [first, ...others] = rule.providers.filter(name => names.has(name))
  if (first === undefined) return rule
  return create(TokenRuleSchema, {
    ...rule,
    optionalProviders: rule.providers.filter(name => !names.has(name)),
    providers: [first],
    alsoRequired: others,
    required: true
  })
}
