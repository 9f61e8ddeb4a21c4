import { create, type Message, type MessageInitShape } from '@bufbuild/protobuf'
import type { EndUserChecks, TokenRule } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type {
  HeaderMatcher,
  RouteMatchSchema
} from '../../shared/proto/gen/envoy/config/route/v3/route_components_pb.js'
import {
  type JwtAuthentication,
  JwtAuthenticationSchema,
  type JwtRequirement,
  JwtRequirementSchema,
  type RequirementRule,
  RequirementRuleSchema
} from '../../shared/proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import { besidePorts } from './exempt-ports.ts'
import { headerMatcher } from './header-matcher.ts'
import type { KeySets } from './mesh-state.ts'
import { METHOD_HEADER, protectedMethods } from './methods.ts'
import { narrowPath, UNUSUAL_PATH, UTF8_TARGET, widePath } from './path-patterns.ts'
import { regex } from './regex.ts'
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
      rules.length === 0 ? [] : [PREFLIGHT, ...rules.flatMap((rule, index) => rulesOf(rule, rules.slice(index + 1)))]
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
 * Unusual spellings first: no exclusion is asked about them. Such a path may be one of any rule that follows, so all
 * that these require is required.
 */
function rulesOf(rule: TokenRule, following: readonly TokenRule[]): readonly RequirementRule[] {
  const where = [...besidePorts(rule.exemptPorts), ...protectedMethods(rule.methods)]
  const requires = requirementOf(rule)
  const others = following.filter(({ required, providers }) => required && !sameTexts(providers, rule.providers))
  const every = all([requires, ...others.map(requirementOf)])
  const { includePaths, excludePaths } = rule
  if (includePaths.length + excludePaths.length === 0)
    return [requirementRule({ pathSpecifier: EVERY_PATH, headers: where }, requires)]
  return [
    requirementRule({ pathSpecifier: regex(UNUSUAL_PATH), headers: where }, every),
    requirementRule({ pathSpecifier: EVERY_PATH, headers: [...where, NOT_UTF8] }, every),
    requirementRule(
      {
        pathSpecifier: includePaths.length === 0 ? EVERY_PATH : regex(anyOf(includePaths.map(widePath))),
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
  const each = providers.map(provider)
  if (required) return any(each)
  // What is there must be valid for the provider that it is of: so a token of somebody else is refused.
  const absent = providers.map(name => any([provider(name), ALLOW_MISSING]))
  return absent.length === 1 ? all(absent) : any([...each, all(absent)])
}

const ALLOW_MISSING: JwtRequirement = create(JwtRequirementSchema, {
  requiresType: { case: 'allowMissing', value: {} }
})

const provider = (value: string): JwtRequirement =>
  create(JwtRequirementSchema, { requiresType: { case: 'providerName', value } })

/** Envoy wants at least two in a list. */
const combined =
  (how: 'requiresAny' | 'requiresAll') =>
  (requirements: readonly JwtRequirement[]): JwtRequirement => {
    const [only, another] = requirements
    if (only !== undefined && another === undefined) return only
    return create(JwtRequirementSchema, {
      requiresType: { case: how, value: { requirements: [...requirements] } }
    })
  }
const any = combined('requiresAny')
const all = combined('requiresAll')

/** The pseudo-header holds the query as well. */
const notWrittenAs = (patterns: readonly string[]): HeaderMatcher =>
  headerMatcher(':path', `${anyOf(patterns.map(narrowPath))}(?:[?#]\\C*)?`, { invert: true })

const anyOf = (expressions: readonly string[]): string => `(?:${expressions.join('|')})`
