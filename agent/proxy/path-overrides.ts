import { HeaderValueOption_HeaderAppendAction as HeaderAppendAction } from '../../shared/proto/gen/envoy/config/core/v3/base_pb.js'
import type { HeaderMatcher } from '../../shared/proto/gen/envoy/config/route/v3/route_components_pb.js'
import { headerMatcher } from './header-matcher.ts'
import { hasAnyHeader, likeHeader } from './header-spelling.ts'
import { regex } from './regex.ts'

/**
 * Headers by which applications choose the resource, in place of the path or of a part of it. No specification has
 * them. Headers from which applications only make links, and that gateways add to every request, are not among them
 * (`x-forwarded-prefix`, `x-forwarded-path`, `x-forwarded-uri`, `x-original-uri`).
 */
const OVERRIDE_HEADERS: readonly string[] = [
  // IIS, ISAPI_Rewrite; Symfony (CVE-2018-14773), Zend and Laminas read them on any server.
  ...['x-original-url', 'x-rewrite-url'],
  // WSGI: a prefix of the path, which the application does not see. Gunicorn believes proxies on loopback.
  ...['script-name', 'x-script-name', 'path-info'],
  // Next.js, between its own processes.
  ...['x-invoke-path', 'x-matched-path']
]

/**
 * Request header that states, while the filters for end users run, whether the path of the request is all that an
 * application routes by: `own`, or `overridden`.
 */
export const PATH_HEADER = 'x-countersign-path'
const OWN = 'own'

/** Header mutations: what the client sent, in any spelling, is removed before the header is set. */
export const SET_PATH = [
  { action: { case: 'removeOnMatch', value: { keyMatcher: { matchPattern: regex(likeHeader(PATH_HEADER)) } } } },
  {
    action: {
      case: 'append',
      value: {
        header: { key: PATH_HEADER, value: `%CEL(${hasAnyHeader(OVERRIDE_HEADERS)} ? 'overridden' : '${OWN}')%` },
        appendAction: HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD
      }
    }
  }
] as const

/** Matches requests whose path may not be the one that an application routes by; also if that is not known. */
export const OVERRIDDEN_PATH: HeaderMatcher = headerMatcher(PATH_HEADER, OWN, { invert: true })
