import { create, type Message, type MessageInitShape } from '@bufbuild/protobuf'
import type { EndUserChecks, TokenProvider, TokenRule } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type {
  HeaderMatcher,
  RouteMatchSchema
} from '../../shared/proto/gen/envoy/config/route/v3/route_components_pb.js'
import {
  type JwtAuthentication,
  JwtAuthenticationSchema,
  type JwtRequirement,
  type RequirementRule,
  RequirementRuleSchema
} from '../../shared/proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import { besidePorts } from './exempt-ports.ts'
import { headerMatcher } from './header-matcher.ts'
import { ALLOW_MISSING, allOf, anyOf, tokenOf } from './jwt-requirement.ts'
import type { KeySets } from './mesh-state.ts'
import { METHOD_HEADER, protectedMethods } from './methods.ts'
import { OVERRIDDEN_PATH } from './path-overrides.ts'
import { narrowPath, UNUSUAL_PATH, UTF8_TARGET, widePath } from './path-patterns.ts'
import { regex } from './regex.ts'
import { withEveryToken } from './token-presence.ts'
import { jwtProvider } from './token-providers.ts'

/**
 * What is verified, and which requests need what (Envoy, extensions/filters/http/jwt_authn/v3). The first rule that
 * matches decides; a request that none matches passes, and its tokens are not looked at.
 */
export function tokenRules({ providers, rules }: EndUserChecks, keySets: KeySets): JwtAuthentication {
  return create(JwtAuthenticationSchema, {
    providers: Object.fromEntries(
      providers.map(provider => [provider.name, jwtProvider(provider, keySets.get(provider.keySet)?.jwks ?? '')])
    ),
    rules:
      rules.length === 0
        ? []
        : [PREFLIGHT, ...rules.flatMap((rule, index) => rulesOf(rule, rules.slice(index + 1), providers))]
  })
}

const EVERY_PATH = { case: 'prefix', value: '' } as const

/**
 * A browser asks whether it may send a token before it sends one (Fetch, section 4.8), so this needs none. Envoy's own
 * option for it would pass a request that asks for another method as well.
 */
const PREFLIGHT: RequirementRule = create(RequirementRuleSchema, {
  match: {
    pathSpecifier: EVERY_PATH,
    headers: [
      headerMatcher(METHOD_HEADER, 'OPTIONS'),
      headerMatcher('origin', '.+'),
      headerMatcher('access-control-request-method', '.+')
    ]
  }
})

type Match = Required<Pick<Exclude<MessageInitShape<typeof RouteMatchSchema>, Message>, 'pathSpecifier' | 'headers'>>

/**
 * Unusual spellings and headers in place of the path first: no exclusion is asked about them. Such a path may be one of
 * any rule that follows, so all that these require is required.
 */
function rulesOf(
  rule: TokenRule,
  following: readonly TokenRule[],
  providers: readonly TokenProvider[]
): readonly RequirementRule[] {
  const requirement = (one: TokenRule): JwtRequirement => withEveryToken(one, requirementOf(one), providers)
  const where = [...besidePorts(rule.exemptPorts), ...protectedMethods(rule.methods)]
  const requires = requirement(rule)
  const others = following.filter(({ required, providers }) => required && !sameTexts(providers, rule.providers))
  const every = allOf([requires, ...others.map(requirement)])
  const { includePaths, excludePaths } = rule
  if (includePaths.length + excludePaths.length === 0)
    return [requirementRule({ pathSpecifier: EVERY_PATH, headers: where }, requires)]
  return [
    requirementRule({ pathSpecifier: regex(UNUSUAL_PATH), headers: where }, every),
    requirementRule({ pathSpecifier: EVERY_PATH, headers: [...where, NOT_UTF8] }, every),
    requirementRule({ pathSpecifier: EVERY_PATH, headers: [...where, OVERRIDDEN_PATH] }, every),
    requirementRule(
      {
        pathSpecifier: includePaths.length === 0 ? EVERY_PATH : regex(oneOf(includePaths.map(widePath))),
        headers: [...where, ...(excludePaths.length === 0 ? [] : [notWrittenAs(excludePaths)])]
      },
      requires
    )
  ]
}

const sameTexts = (some: readonly string[], others: readonly string[]): boolean =>
  some.length === others.length && some.every((text, index) => text === others[index])

const NOT_UTF8: HeaderMatcher = headerMatcher(':path', UTF8_TARGET, { invert: true })

const requirementRule = (match: Match, value: JwtRequirement): RequirementRule =>
  create(RequirementRuleSchema, { match, requirementType: { case: 'requires', value } })

/** The token of any of the providers; where none is required, none at all is as good. */
function requirementOf({ providers, required }: TokenRule): JwtRequirement {
  const each = providers.map(tokenOf)
  if (required) return anyOf(each)
  // What is there must be valid for the provider that it is of: so a token of somebody else is refused.
  const absent = providers.map(name => anyOf([tokenOf(name), ALLOW_MISSING]))
  return absent.length === 1 ? allOf(absent) : anyOf([...each, allOf(absent)])
}

/** The pseudo-header holds the query as well. */
const notWrittenAs = (patterns: readonly string[]): HeaderMatcher =>
  headerMatcher(':path', `${oneOf(patterns.map(narrowPath))}(?:[?#]\\C*)?`, { invert: true })

const oneOf = (expressions: readonly string[]): string => `(?:${expressions.join('|')})`
