import { z } from 'zod'
import { checkBySchema } from './check-by-schema.ts'
import type { EndUserAuthentication } from './end-user-authentication.ts'
import { exemptPorts, inOrder } from './exempt-ports.ts'
import { accepted, type PolicyResult, policyOf } from './issue.ts'
import type { Login } from './login.ts'
import { checkLogin, login, loginWarnings, makeLogin } from './login-fields.ts'
import { makeTokenSource, tokenWarnings } from './make-token-source.ts'
import { matchesEveryPath, pathPatternProblem } from './path-pattern.ts'
import { identityOf, metadata, NO_GATEWAYS, selector } from './policy-identity.ts'
import { isRecord, list, oneOf, show, strictObject, text, textWithout } from './schema.ts'
import { ALWAYS, checkTokenFields, lostTokenHeader, tokenFields } from './token-fields.ts'

/** Each is part of an expression that proxies ask about every request. */
const MOST_PATHS = 64
const MOST_METHODS = 16

const { spaceDelimitedClaims: _, ...fields } = tokenFields

const PATH = 'a path pattern such as /x, /x/*, *.html or /x/{id}'
const METHOD = 'a method in upper case, such as GET'

/** Fields of Istio's RequestAuthentication that have no meaning in this kind, each with what to do instead. */
const NOT_HERE = {
  jwtRules: 'not here: the fields of the one issuer stand right below spec; for another issuer write another policy',
  jwks_uri: 'not here: write jwksUri',
  presence: 'not here: an EndUserAuthentication always requires a token; leave the field out',
  spaceDelimitedClaims: 'not here: leave the field out, or use a RequestAuthentication',
  targetRef: NO_GATEWAYS,
  targetRefs: NO_GATEWAYS
}

const method = text(/^[A-Z][A-Z0-9_-]{0,31}$/, METHOD)

const excludedPath = textWithout(pattern => {
  if (matchesEveryPath(pattern)) return `expected some paths only, got ${show(pattern)}: the policy would do nothing`
  return pathPatternProblem(pattern)
}, PATH)

const spec = strictObject(
  {
    selector: selector.optional(),
    ...fields,
    includePaths: list(textWithout(pathPatternProblem, PATH), 'path', MOST_PATHS, 1).optional(),
    excludePaths: list(excludedPath, 'path', MOST_PATHS, 1).optional(),
    methods: list(method, 'method', MOST_METHODS, 1).optional(),
    exemptPorts: exemptPorts.optional(),
    login: login.optional()
  },
  NOT_HERE
)
  .superRefine(checkTokenFields, ALWAYS)
  .superRefine(checkLogin, ALWAYS)
  .superRefine((value: unknown, context) => {
    const name = isRecord(value) ? lostTokenHeader([value]) : undefined
    if (name === undefined) return
    const message = `expected other headers than those for claims, got ${show(name)}: what clients send in it would be removed`
    context.addIssue({ code: 'custom', path: ['fromHeaders'], message })
  }, ALWAYS)

const endUserAuthentication = strictObject({
  apiVersion: oneOf(['countersign.dev/v1']),
  kind: oneOf(['EndUserAuthentication']),
  metadata,
  spec,
  status: z.unknown().optional()
})

/**
 * Checks an EndUserAuthentication as it was written, in YAML or JSON. An absent namespace is `default`, as for kubectl.
 *
 * Source: docs/end-users.md
 */
export function checkEndUserAuthentication(object: unknown): PolicyResult<EndUserAuthentication> {
  const result = checkBySchema(endUserAuthentication, object)
  if (!result.ok) return result
  const { apiVersion, metadata, spec } = result.data
  const { selector, includePaths = [], excludePaths = [], methods = [], exemptPorts = [], ...others } = spec
  const { login: asked, ...written } = others
  const login = asked === undefined ? undefined : makeLogin(asked)
  const source = makeTokenSource({ ...written, audiences: audiencesOf(written, login) })
  const policy: EndUserAuthentication = {
    ...identityOf(apiVersion, metadata, selector),
    source,
    ...(login === undefined ? {} : { login }),
    includePaths: Object.freeze([...includePaths]),
    excludePaths: Object.freeze([...excludePaths]),
    methods: Object.freeze([...methods]),
    exemptPorts: inOrder(exemptPorts)
  }
  return accepted(policy, [...tokenWarnings(['spec'], source), ...(login === undefined ? [] : loginWarnings(login))])
}

/** OpenID Connect Core 1.0, section 2: the ID tokens of a login are for its client, whose ID is among their audiences. */
function audiencesOf(
  { audiences = [] }: { readonly audiences?: readonly string[] | undefined },
  login: Login | undefined
): string[] {
  return audiences.length === 0 && login !== undefined ? [login.clientId] : [...audiences]
}

/**
 * As `checkEndUserAuthentication`, for who needs no list of issues.
 *
 * @throws CountersignError ERR_POLICY_INVALID naming every field that is wrong; `facts.issues` holds them one by one
 */
export function parseEndUserAuthentication(object: unknown): EndUserAuthentication {
  return policyOf('EndUserAuthentication', checkEndUserAuthentication(object))
}
