import { create } from '@bufbuild/protobuf'
import type { TokenRule } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  type HeaderMatcher,
  HeaderMatcherSchema
} from '../../shared/proto/gen/envoy/config/route/v3/route_components_pb.js'
import { onPorts } from './exempt-ports.ts'
import { headerMatcher } from './header-matcher.ts'
import type { ActiveLogin } from './login.ts'
import { unprotectedMethods } from './methods.ts'
import { escapedText, narrowPath, widePath } from './path-patterns.ts'
import { tokenPlaces } from './token-providers.ts'

/**
 * Requests that have nothing to do with the login; its filter does not look at them, nor at their session. What is
 * passed here is still judged by the rules for tokens: a mistake refuses somebody, and lets nobody in.
 *
 * - Those that have a token, or anything, where tokens are looked for: it decides, and it alone.
 * - What asks whether a request may be sent (Fetch, section 4.8).
 * - Paths, methods and ports that the policy does not protect, and paths that another policy protects.
 */
export function unconcerned({ login, provider, rule, earlier }: ActiveLogin): readonly HeaderMatcher[] {
  const { headers, params, cookies } = tokenPlaces(provider)
  const own = [login.redirectPath, login.signOutPath]
  return [
    ...[...new Set(['authorization', ...headers.map(({ name }) => name.toLowerCase())])].map(present),
    ...params.map(name => headerMatcher(':path', `[^?]*\\?(?:.*&)?${escapedText(encodeURIComponent(name))}=.*`)),
    ...cookies.map(name => headerMatcher('cookie', `(?:.*[;,])?\\s*${escapedText(name)}=.*`)),
    present('access-control-request-method'),
    ...onPorts(rule.exemptPorts),
    ...openPaths(rule, own).map(pattern => onPath([narrowPath(pattern)])),
    ...(rule.includePaths.length === 0 ? [] : [elsewhere([...rule.includePaths, ...own].map(widePath))]),
    ...(rule.methods.length === 0 ? [] : unprotectedMethods([...rule.methods, 'GET'])),
    // Of those with exceptions it cannot be told here; who logs in for what is another's is refused afterwards.
    ...earlier
      .filter(
        ({ required, excludePaths, methods, exemptPorts }) =>
          required && excludePaths.length + methods.length + exemptPorts.length === 0
      )
      .map(({ includePaths }) => onPath(includePaths.length === 0 ? ['[^?#]*'] : includePaths.map(widePath)))
  ]
}

/**
 * Requests that are not sent to the issuer where there is no session. They go on without one, and the rules for tokens
 * refuse them, if need be.
 *
 * - What is no navigation of a browser: a program could not log in, and a script could not follow.
 * - Open paths that are also those of the login itself, and methods beside those that are protected.
 */
export const notSentAway = ({ login, rule }: ActiveLogin): readonly HeaderMatcher[] => [
  headerMatcher('accept', '(?i).*text/html.*', { invert: true }),
  // Browsers say it (Fetch Metadata, section 2.3), but not to every origin.
  headerMatcher('sec-fetch-mode', '(?i)(?:navigate)?', { invert: true }),
  ...rule.excludePaths
    .filter(pattern => !openPaths(rule, [login.redirectPath, login.signOutPath]).includes(pattern))
    .map(pattern => onPath([narrowPath(pattern)])),
  ...unprotectedMethods(rule.methods)
]

/** Excluded paths, without patterns that the login's own paths fall under. */
const openPaths = ({ excludePaths }: TokenRule, own: readonly string[]): readonly string[] =>
  excludePaths.filter(pattern => {
    const expression = new RegExp(`^(?:${narrowPath(pattern)})$`)
    return !own.some(path => expression.test(path))
  })

const anyOf = (expressions: readonly string[]): string =>
  `(?:${expressions.map(expression => `(?:${expression})`).join('|')})`

/** The pseudo-header holds the query as well. */
const onPath = (expressions: readonly string[]): HeaderMatcher =>
  headerMatcher(':path', `${anyOf(expressions)}(?:[?#].*)?`)
const elsewhere = (expressions: readonly string[]): HeaderMatcher =>
  headerMatcher(':path', `${anyOf(expressions)}(?:[?#].*)?`, { invert: true })

const present = (name: string): HeaderMatcher =>
  create(HeaderMatcherSchema, { name, headerMatchSpecifier: { case: 'presentMatch', value: true } })
