import type { RequestAuthentication } from '../../shared/policy/index.ts'
import type { TokenRule } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'

// `presence: REQUIRED` in a rule of a RequestAuthentication: its token must be there and valid, whatever other tokens
// there are (istio.io/api 1.32, JWTRule).

/** Names of the providers whose tokens are required. */
export const requiredProviders = (policies: readonly RequestAuthentication[]): ReadonlySet<string> =>
  new Set(
    policies.flatMap(({ namespace, name, rules }) =>
      rules.flatMap(({ required }, index) =>
        required === true ? [`RequestAuthentication/${namespace}/${name}/${index}`] : []
      )
    )
  )

/**
 * Has rules demand these tokens: a rule of an EndUserAuthentication beside its own, and a rule that accepts tokens those
 * of its providers that are among them. There its other providers stay optional.
 */
export function requireTokens(rules: readonly TokenRule[], names: ReadonlySet<string>): void {
  for (const rule of rules)
    if (rule.required) rule.alsoRequired = [...names].filter(name => !rule.providers.includes(name)).sort()
    else {
      const [first, ...others] = rule.providers.filter(name => names.has(name))
      if (first === undefined) continue
      rule.optionalProviders = rule.providers.filter(name => !names.has(name))
      rule.providers = [first]
      rule.alsoRequired = others
      rule.required = true
    }
}
