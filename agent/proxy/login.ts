import { createHash } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import {
  type EndUserChecks,
  EndUserChecksSchema,
  type Login,
  TokenHeaderSchema,
  type TokenProvider,
  TokenProviderSchema,
  type TokenRule,
  TokenRuleSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { LoginSecrets } from './mesh-state.ts'

/** The login that a workload's proxy does for browsers. */
export interface ActiveLogin {
  readonly login: Login
  /** Whose tokens people log in for. */
  readonly provider: TokenProvider
  /** What they log in for: on the ports of every rule of the provider. */
  readonly rule: TokenRule
  /** Rules that come before it: what one of them matches is its own. */
  readonly earlier: readonly TokenRule[]
}

/**
 * A proxy does one login: that of the first rule that has one, which is the oldest policy's. Undefined as well while it
 * is not known where browsers are to be sent, or by what secret the proxy proves itself there: they are refused then.
 */
export function activeLogin({ providers, rules }: EndUserChecks, secrets: LoginSecrets): ActiveLogin | undefined {
  const withLogin = (rule: TokenRule): TokenProvider | undefined =>
    providers.find(({ name, login }) => login !== undefined && rule.providers.includes(name))
  const index = rules.findIndex(rule => rule.required && withLogin(rule) !== undefined)
  const rule = rules[index]
  const provider = rule && withLogin(rule)
  if (rule === undefined || provider?.login === undefined) return undefined
  const { login } = provider
  if (login.authorizationEndpoint === '' || login.tokenEndpoint === '' || !secrets.has(login.secret)) return undefined
  const own = rules.filter(one => isOf(provider, one))
  const exemptPorts = rule.exemptPorts.filter(port => own.every(one => one.exemptPorts.includes(port)))
  return { login, provider, rule: create(TokenRuleSchema, { ...rule, exemptPorts }), earlier: rules.slice(0, index) }
}

/** A policy has several rules where others demand their tokens on some of its ports only; they differ in that alone. */
const isOf = ({ name }: TokenProvider, { required, providers }: TokenRule): boolean =>
  required && providers.includes(name)

/**
 * The header in which the ID token of a session goes from the filter that knows sessions to the one that verifies
 * tokens. Nobody else may send it, and nobody else gets it.
 */
export const SESSION_HEADER = 'x-countersign-session'

/**
 * What every cookie of a login begins with, of every policy. Browsers take a cookie whose name begins with `__Host-`
 * from the host itself alone, over https, for every path (RFC 6265bis, section 4.1.3.2): no page of a sibling domain
 * and nobody who answers for http can plant one.
 */
export const COOKIE_PREFIX = '__Host-countersign-login-'

/** What they began with before. Nothing is read from such cookies; the application does not get them either. */
export const FORMER_COOKIE_PREFIX = 'countersign-login-'

/** What a login's cookies are called: the same for every proxy of its policy, and different from any other's. */
export const cookieName = ({ secret }: Login, what: string): string =>
  `${COOKIE_PREFIX}${createHash('sha256').update(secret).digest('hex').slice(0, 8)}-${what}`

/**
 * The same checks, where a session is as good as a token: its ID token is verified like every other, for the client
 * that asked for it and for nobody else. The paths of the login itself are protected in any case, so the application
 * never sees a code.
 */
export function withSession(checks: EndUserChecks, { login, provider }: ActiveLogin): EndUserChecks {
  const session = create(TokenProviderSchema, {
    ...provider,
    name: `session of ${provider.name}`,
    audiences: [login.clientId],
    fromHeaders: [create(TokenHeaderSchema, { name: SESSION_HEADER })],
    fromParams: [],
    fromCookies: [],
    forward: false
  })
  const extended = (rule: TokenRule): TokenRule =>
    create(TokenRuleSchema, {
      ...rule,
      includePaths: rule.includePaths.length === 0 ? [] : [...rule.includePaths, login.redirectPath, login.signOutPath],
      // First: an access token, which the application may get as well, need not be one for this proxy.
      providers: [session.name, ...rule.providers]
    })
  return create(EndUserChecksSchema, {
    providers: [...checks.providers, session],
    rules: checks.rules.map(one => (isOf(provider, one) ? extended(one) : one))
  })
}
