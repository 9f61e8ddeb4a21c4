import { HeaderValueOption_HeaderAppendAction as HeaderAppendAction } from '../../shared/proto/gen/envoy/config/core/v3/base_pb.js'
import type { HeaderMatcher } from '../../shared/proto/gen/envoy/config/route/v3/route_components_pb.js'
import { headerMatcher } from './header-matcher.ts'
import { hasAnyHeader, likeHeader } from './header-spelling.ts'
import { regex } from './regex.ts'

/**
 * IANA HTTP Method Registry, without `*` and PRI, which no request may use. A rule that names methods protects every
 * other method as well: what an application takes it for is not known.
 */
const REGISTERED_METHODS: readonly string[] = [
  ...['ACL', 'BASELINE-CONTROL', 'BIND', 'CHECKIN', 'CHECKOUT', 'CONNECT', 'COPY', 'DELETE', 'GET', 'HEAD', 'LABEL'],
  ...['LINK', 'LOCK', 'MERGE', 'MKACTIVITY', 'MKCALENDAR', 'MKCOL', 'MKREDIRECTREF', 'MKWORKSPACE', 'MOVE', 'OPTIONS'],
  ...['ORDERPATCH', 'PATCH', 'POST', 'PROPFIND', 'PROPPATCH', 'PUT', 'REBIND', 'REPORT', 'SEARCH', 'TRACE', 'UNBIND'],
  ...['UNCHECKOUT', 'UNLINK', 'UNLOCK', 'UPDATE', 'UPDATEREDIRECTREF', 'VERSION-CONTROL']
]

/** Headers by which frameworks let a request state another method than its own. No specification has them. */
const OVERRIDE_HEADERS: readonly string[] = ['x-http-method-override', 'x-http-method', 'x-method-override']

/**
 * Request header that holds the method while the filters for end users run, followed by `+` where the request asks for
 * another method. Rules for tokens match on it: one matcher then answers for the method and for every override.
 */
export const METHOD_HEADER = 'x-countersign-method'

/** Header mutations: what the client sent, in any spelling, is removed before the header is set. */
export const SET_METHOD = [
  { action: { case: 'removeOnMatch', value: { keyMatcher: { matchPattern: regex(likeHeader(METHOD_HEADER)) } } } },
  {
    action: {
      case: 'append',
      value: {
        header: { key: METHOD_HEADER, value: `%REQ(:method)%%CEL(${asksForAnother()} ? '+' : '')%` },
        appendAction: HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
      }
    }
  }
] as const

/**
 * The query parameter `_method` in any case, with any of its characters percent-encoded. PHP takes some characters at
 * its beginning for the underscore. `\C` is any byte: `.` matches UTF-8 only. A percent sign would end the command, and
 * Envoy refuses expressions of more than 100 instructions here.
 */
function asksForAnother(): string {
  const first = '(?:[_. +\\\\x5b]|\\\\x25(?:5f|2[0e]|[25]b))'
  const others = [...'method'].map(letter => {
    const [high, low] = letter.charCodeAt(0).toString(16)
    return `(?:${letter}|\\\\x25[${high}${Number(high) - 2}]${low})`
  })
  return [hasAnyHeader(OVERRIDE_HEADERS), `request.path.matches('(?i)[?]\\\\C*${first}${others.join('')}')`].join(
    ' || '
  )
}

/**
 * Matches requests whose method is one of `methods`, in any case. HEAD goes with GET (RFC 9110, section 9.3.2). It
 * matches as well a method that is not registered, a registered one that is not written in upper case, and a request
 * that asks for another method. No matcher where `methods` is empty.
 */
export const protectedMethods = (methods: readonly string[]): readonly HeaderMatcher[] =>
  methods.length === 0 ? [] : [headerMatcher(METHOD_HEADER, openMethods(methods), { invert: true })]

/** Matches requests that `protectedMethods` does not match. */
export const unprotectedMethods = (methods: readonly string[]): readonly HeaderMatcher[] =>
  methods.length === 0 ? [] : [headerMatcher(METHOD_HEADER, openMethods(methods))]

function openMethods(methods: readonly string[]): string {
  const meant = methods.map(method => method.toUpperCase())
  const open = REGISTERED_METHODS.filter(
    method => !meant.includes(method) && !(method === 'HEAD' && meant.includes('GET'))
  )
  // Never empty: a policy names 16 methods at most.
  return `(?:${open.join('|')})`
}
