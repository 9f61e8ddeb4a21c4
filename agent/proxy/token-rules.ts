import { create, type Message, type MessageInitShape } from '@bufbuild/protobuf'
import type { EndUserChecks, TokenRule } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  type HeaderMatcher,
  HeaderMatcherSchema,
  type RouteMatchSchema
} from '../../shared/proto/gen/envoy/config/route/v3/route_components_pb.js'
import {
  type JwtAuthentication,
  JwtAuthenticationSchema,
  type JwtRequirement,
  type RequirementRule,
  RequirementRuleSchema
} from '../../shared/proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import { ALLOW_MISSING, allOf, anyOf, tokenOf } from './jwt-requirement.ts'
import type { KeySets } from './mesh-state.ts'
import { escapedText, narrowPath, UNUSUAL_PATH, widePath } from './path-patterns.ts'
import { regex, smallRegex } from './regex.ts'
import { verifiedTogether, withEveryToken } from './token-presence.ts'
import { jwtProvider } from './token-providers.ts'

/**
 * What is verified, and which requests need what (Envoy, extensions/filters/http/jwt_authn/v3). The first rule that
 * matches decides; a request that none matches passes, and its tokens are not looked at.
 */
export function tokenRules(checks: EndUserChecks, keySets: KeySets): JwtAuthentication {
  const { providers, rules } = checks
  const together = verifiedTogether(checks)
  return create(JwtAuthenticationSchema, {
    providers: Object.fromEntries(
      providers.map(provider => [
        provider.name,
        jwtProvider(provider, keySets.get(provider.keySet)?.jwks ?? '', together)
      ])
    ),
    rules: rules.flatMap(rule => rulesOf(rule, withEveryToken(rule, requirementOf(rule), providers))),
    // A browser asks whether it may send a token before it sends one (Fetch, section 4.8).
    bypassCorsPreflight: true
  })
}

const EVERY_PATH = { case: 'prefix', value: '' } as const

type Match = Required<Pick<Exclude<MessageInitShape<typeof RouteMatchSchema>, Message>, 'pathSpecifier' | 'headers'>>

/** An unusual spelling first: no exclusion is asked about it. */
function rulesOf(rule: TokenRule, requires: JwtRequirement): readonly RequirementRule[] {
  const methods = methodsOf(rule.methods)
  const paths: readonly Match[] =
    rule.includePaths.length === 0 && rule.excludePaths.length === 0
      ? [{ pathSpecifier: EVERY_PATH, headers: [] }]
      : [
          { pathSpecifier: smallRegex(UNUSUAL_PATH), headers: [] },
          {
            pathSpecifier: rule.includePaths.length === 0 ? EVERY_PATH : regex(oneOf(rule.includePaths.map(widePath))),
            headers: rule.excludePaths.length === 0 ? [] : [notWrittenAs(rule.excludePaths)]
          }
        ]
  return paths.map(({ pathSpecifier, headers }) =>
    create(RequirementRuleSchema, {
      match: { pathSpecifier, headers: [...headers, ...methods] },
      requirementType: { case: 'requires', value: requires }
    })
  )
}

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
  header(':path', `${oneOf(patterns.map(narrowPath))}(?:[?#].*)?`, true)

/** Whoever answers GET answers HEAD (RFC 9110, section 9.3.2). */
function methodsOf(methods: readonly string[]): readonly HeaderMatcher[] {
  if (methods.length === 0) return []
  const meant = methods.includes('GET') ? [...methods, 'HEAD'] : methods
  return [header(':method', oneOf([...new Set(meant)].map(escapedText)))]
}

const oneOf = (expressions: readonly string[]): string => `(?:${expressions.join('|')})`

const header = (name: string, expression: string, invertMatch = false): HeaderMatcher =>
  create(HeaderMatcherSchema, {
    name,
    invertMatch,
    headerMatchSpecifier: { case: 'stringMatch', value: { matchPattern: regex(expression) } }
  })
