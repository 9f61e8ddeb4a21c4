import { create, type DescMessage, type MessageShape } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import {
  type EndUserChecks,
  EndUserChecksSchema,
  type Login,
  type Workload
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { TypedExtensionConfigSchema } from '../../shared/proto/gen/envoy/config/core/v3/extension_pb.js'
import {
  type HeaderMutation,
  HeaderMutationSchema
} from '../../shared/proto/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js'
import { JwtAuthenticationSchema } from '../../shared/proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import { LuaSchema } from '../../shared/proto/gen/envoy/extensions/filters/http/lua/v3/lua_pb.js'
import {
  type HttpFilter,
  HttpFilterSchema
} from '../../shared/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { createResource, type Resource, typeUrlOf } from '../../shared/xds/index.ts'
import { FROM_AGENT } from './config-source.ts'
import { likeHeader, misspelledHeader } from './header-spelling.ts'
import { activeLogin, withSession } from './login.ts'
import { endOfRefused, INTERNAL_HEADERS, REMEMBERED_COOKIES, WITHOUT_LOGIN_COOKIES } from './login-cleanup.ts'
import { loginFilter } from './login-filter.ts'
import { memoize, memoizePair } from './memoize.ts'
import type { KeySets, LoginSecrets, MeshState } from './mesh-state.ts'
import { METHOD_HEADER, SET_METHOD } from './methods.ts'
import { PATH_HEADER, SET_PATH } from './path-overrides.ts'
import { regex } from './regex.ts'
import { tokenPlaces } from './token-providers.ts'
import { tokenRules } from './token-rules.ts'
import { afterVerification } from './verified-token-script.ts'

/** Names by which listeners refer to the filters of a workload. */
const CLAIMED_HEADERS = 'end-users/claimed-headers'
const LOGIN_COOKIES = 'end-users/login-cookies'
const TOKENS = 'end-users/tokens'
const VERIFIED = 'end-users/verified'
const AFTER_LOGIN = 'end-users/after-login'

/**
 * The filters' places in every chain of HTTP that leads to an application, whether there is a policy or not: what
 * stands in them comes by reference (ECDS), so a policy or a key that changes cuts no connection.
 */
export const END_USER_FILTERS: readonly HttpFilter[] = [
  place(CLAIMED_HEADERS, HeaderMutationSchema),
  place(LOGIN_COOKIES, LuaSchema, HeaderMutationSchema),
  place(TOKENS, JwtAuthenticationSchema),
  place(VERIFIED, LuaSchema, HeaderMutationSchema),
  place(AFTER_LOGIN, HeaderMutationSchema)
]

/** Stands for the filter of a login where a workload has none. */
export const NO_LOGIN: HttpFilter = create(HttpFilterSchema)

/** The same with the filter of a login, which comes after the claimed headers are removed. */
export const endUserFiltersWith = (login: HttpFilter): readonly HttpFilter[] =>
  login === NO_LOGIN
    ? END_USER_FILTERS
    : END_USER_FILTERS.flatMap(each => (each.name === CLAIMED_HEADERS ? [each, login] : [each]))

/**
 * The filter of a workload's login, which stands in the chains themselves. By reference, it would crash the proxy
 * (Envoy 1.40): it adds its secrets to the init manager of the listener that its chain came with, which is gone once
 * the listener was updated in place and the chain was kept. So a change of a login replaces the chains of HTTP.
 */
export const loginOf = ({ endUsers }: Workload, { loginSecrets }: Pick<MeshState, 'loginSecrets'>): HttpFilter =>
  endUsers === undefined ? NO_LOGIN : loginFor(endUsers, loginSecrets)

const loginFor = memoizePair((checks: EndUserChecks, loginSecrets: LoginSecrets): HttpFilter => {
  const active = activeLogin(checks, loginSecrets)
  return active === undefined ? NO_LOGIN : loginFilter(active)
})

/**
 * The filters that remove headers which only the proxy may set, without those that look at tokens: for the port of
 * probes, which sends requests to the application and checks no token.
 */
export const CLAIM_REMOVING_FILTERS: readonly HttpFilter[] = END_USER_FILTERS.filter(({ name }) =>
  [CLAIMED_HEADERS, AFTER_LOGIN].includes(name)
)

function place(name: string, ...schemas: readonly DescMessage[]): HttpFilter {
  return create(HttpFilterSchema, {
    name,
    configType: { case: 'configDiscovery', value: { configSource: FROM_AGENT, typeUrls: schemas.map(typeUrlOf) } }
  })
}

const NOBODY: EndUserChecks = create(EndUserChecksSchema)

/** What stands in these places for a workload; one for all that have no policy. */
export const endUserFilters = (
  { endUsers = NOBODY }: Workload,
  { keySets, loginSecrets }: Pick<MeshState, 'keySets' | 'loginSecrets'>
): readonly Resource[] =>
  endUsers === NOBODY ? filtersFor(NOBODY, NO_KEYS)(NO_SECRETS) : filtersFor(endUsers, keySets)(loginSecrets)

const NOTHING: HeaderMutation = create(HeaderMutationSchema)
const NO_KEYS: KeySets = new Map()
const NO_SECRETS: LoginSecrets = new Map()

const filtersFor = memoizePair((given: EndUserChecks, keySets: KeySets) =>
  memoize((loginSecrets: LoginSecrets) => {
    const active = activeLogin(given, loginSecrets)
    const checks = active === undefined ? given : withSession(given, active)
    return [
      filter(CLAIMED_HEADERS, HeaderMutationSchema, withoutClaimedHeaders(checks, active?.login)),
      active === undefined || active.login.forwardTokens
        ? filter(LOGIN_COOKIES, HeaderMutationSchema, NOTHING)
        : filter(LOGIN_COOKIES, LuaSchema, WITHOUT_LOGIN_COOKIES),
      filter(TOKENS, JwtAuthenticationSchema, tokenRules(checks, keySets)),
      checks.providers.length === 0
        ? filter(VERIFIED, HeaderMutationSchema, NOTHING)
        : filter(VERIFIED, LuaSchema, afterVerification(checks)),
      filter(AFTER_LOGIN, HeaderMutationSchema, withoutInternalHeaders(checks, active?.login))
    ]
  })
)

function filter<Schema extends DescMessage>(name: string, schema: Schema, config: MessageShape<Schema>): Resource {
  return createResource(
    TypedExtensionConfigSchema,
    name,
    create(TypedExtensionConfigSchema, { name, typedConfig: anyPack(schema, config) })
  )
}

/**
 * Headers that only the proxy may set are removed from what a client sends, whether it sends a token or not, and
 * whatever rule its request meets. An underscore is taken for the dash that many applications take it for (RFC 3875,
 * section 4.1.18): so headers that look like one that holds a token, and are not looked at, are removed as well.
 * Headers by which the filters of a login speak to each other are theirs alone.
 */
function withoutClaimedHeaders({ providers, rules }: EndUserChecks, login: Login | undefined): HeaderMutation {
  const claimed = providers.flatMap(({ payloadHeader, claimHeaders }) => [
    ...(payloadHeader === '' ? [] : [payloadHeader]),
    ...claimHeaders.map(({ header }) => header)
  ])
  const holding = providers.flatMap(provider => tokenPlaces(provider).headers.map(({ name }) => name))
  return create(HeaderMutationSchema, {
    mutations: {
      requestMutations: [
        ...[
          ...distinct(login === undefined ? claimed : [...claimed, ...INTERNAL_HEADERS]).map(likeHeader),
          ...distinct(holding).flatMap(misspelledHeader)
        ].map(removal),
        ...(rules.length > 0 ? [...SET_METHOD, ...SET_PATH] : []),
        ...(login === undefined || login.forwardTokens ? [] : [REMEMBERED_COOKIES])
      ],
      responseMutations: login === undefined ? [] : [endOfRefused(login)]
    }
  })
}

/** What the filters tell each other is not for the application. */
const withoutInternalHeaders = ({ rules }: EndUserChecks, login: Login | undefined): HeaderMutation =>
  create(HeaderMutationSchema, {
    mutations: {
      requestMutations: [
        ...(login === undefined ? [] : INTERNAL_HEADERS),
        ...(rules.length > 0 ? [METHOD_HEADER, PATH_HEADER] : [])
      ].map(value => ({ action: { case: 'remove' as const, value } }))
    }
  })

const distinct = (names: readonly string[]): readonly string[] =>
  [...new Set(names.map(name => name.toLowerCase()))].sort()

const removal = (expression: string) =>
  ({ action: { case: 'removeOnMatch', value: { keyMatcher: { matchPattern: regex(expression) } } } }) as const
