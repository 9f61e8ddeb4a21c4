import type { TokenProvider, TokenRule } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { JwtRequirement } from '../../shared/proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import { ALLOW_MISSING, allOf, anyOf, tokenOf } from './jwt-requirement.ts'
import { tokenPlaces } from './token-providers.ts'

// Requests that need the tokens of several providers at once.

/**
 * What a rule requires beside the token of one of its providers: that of each provider that is required as well, and
 * that what is there for an optional one is valid.
 *
 * An optional provider looks into places that others look into, too. A token of one of those is none of its own; so it
 * may be theirs, or that of one that those share places with in turn. Envoy is then content with that one, wherever its
 * token is: that every token was verified is seen to afterwards (verified-token-script.ts). Where all its places are
 * looked into by one that is required, no token of its own can be there.
 */
export function withEveryToken(
  rule: TokenRule,
  requirement: JwtRequirement,
  providers: readonly TokenProvider[]
): JwtRequirement {
  const { alsoRequired, optionalProviders } = rule
  if (alsoRequired.length + optionalProviders.length === 0) return requirement
  const places = new Map(providers.map(provider => [provider.name, placesOf(provider)]))
  const of = (name: string): readonly Place[] => places.get(name) ?? []
  const required = [...rule.providers, ...alsoRequired]
  const isWithin = (name: string, other: string): boolean =>
    of(name).every(({ exactly }) => of(other).some(place => place.exactly === exactly))
  const optional = optionalProviders.filter(name => !required.some(other => isWithin(name, other)))
  const isNeighbour = (name: string, other: string): boolean =>
    other !== name && of(other).some(({ where }) => of(name).some(place => place.where === where))
  const all = [...required, ...optional]
  const neighbours = (name: string): readonly string[] => {
    const reached = new Set([name])
    // A set hands out what is added to it meanwhile.
    for (const one of reached) for (const other of all) if (isNeighbour(one, other)) reached.add(other)
    return all.filter(other => other !== name && reached.has(other))
  }
  // The required ones last: where two put claims into one header, it is theirs.
  return allOf([
    ...optional.map(name => anyOf([tokenOf(name), ...neighbours(name).map(tokenOf), ALLOW_MISSING])),
    requirement,
    ...alsoRequired.map(tokenOf)
  ])
}

/** `exactly`: with what stands before the token. */
interface Place {
  readonly where: string
  readonly exactly: string
}

function placesOf(provider: TokenProvider): readonly Place[] {
  const { headers, params, cookies } = tokenPlaces(provider)
  const inHeaders = headers.map(({ name, prefix }) => {
    const where = `header ${name.toLowerCase()}`
    return { where, exactly: `${where}: ${prefix}` }
  })
  const elsewhere = [...params.map(name => `parameter ${name}`), ...cookies.map(name => `cookie ${name}`)]
  return [...inHeaders, ...elsewhere.map(where => ({ where, exactly: where }))]
}
