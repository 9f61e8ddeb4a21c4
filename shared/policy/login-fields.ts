import type { z } from 'zod'
import { DNS_SUBDOMAIN } from '../names/index.ts'
import type { PolicyIssue } from './issue.ts'
import { isPlainHttp, urlProblem } from './key-place.ts'
import type { Login } from './login.ts'
import { excludes, isSamePath, loginPathProblem } from './login-path.ts'
import { flag, isRecord, list, show, strictObject, text, textWithout } from './schema.ts'

const DEFAULTS = { key: 'client-secret', redirectPath: '/oauth2/callback', signOutPath: '/oauth2/sign-out' }
const MOST_SCOPES = 32

/** RFC 6749, appendix A.1: printable ASCII; with something to see at both ends. */
const CLIENT_ID = /^[!-~]([ -~]{0,254}[!-~])?$/
/** RFC 6749, section 3.3, scope-token. */
const SCOPE = /^[!#-[\]-~]{1,128}$/
/** Kubernetes, "Secrets": what entries may be called. */
const SECRET_KEY = /^(?!\.\.?$|\.\.)[-._a-zA-Z0-9]{1,253}$/

/** Text in whose place somebody may have written the secret itself: it is not shown. */
const unshown = (pattern: RegExp, allowed: string): z.ZodType<string> =>
  textWithout(text => (pattern.test(text) ? undefined : `expected ${allowed}`), allowed, true)

const SECRET =
  'where the secret is: an object with the name of a Secret and a key; the secret itself must not stand here'

const clientSecret = strictObject(
  {
    name: unshown(DNS_SUBDOMAIN, 'the name of a Secret, of lower-case letters, digits, dashes and dots'),
    key: unshown(
      SECRET_KEY,
      'the key of an entry of the Secret: letters, digits, dashes, dots and underscores'
    ).optional()
  },
  {},
  SECRET
)

const path = textWithout(loginPathProblem, 'a path such as /oauth2/callback')
const endpoint = textWithout(urlProblem, 'an http or https URL').optional()
const ENDPOINTS = ['authorizationEndpoint', 'tokenEndpoint', 'endSessionEndpoint'] as const

export const login = strictObject({
  clientId: text(CLIENT_ID, 'the ID of a client of the issuer: 1 to 256 printable characters of ASCII'),
  clientSecret,
  scopes: list(
    text(SCOPE, 'a scope as RFC 6749 has it: ASCII without blanks, quotes and backslashes'),
    'scope',
    MOST_SCOPES,
    1
  ).optional(),
  redirectPath: path.optional(),
  signOutPath: path.optional(),
  authorizationEndpoint: endpoint,
  tokenEndpoint: endpoint,
  endSessionEndpoint: endpoint,
  forwardTokens: flag().optional()
})

/** Checks of more than one field, for the `superRefine` of a spec with the field `login`. */
export function checkLogin(spec: unknown, context: z.core.$RefinementCtx): void {
  if (!isRecord(spec) || !isRecord(spec['login'])) return
  const { login } = spec
  const complain = (path: PolicyIssue['path'], message: string): void =>
    context.addIssue({ code: 'custom', path: [...path], message })
  const { authorizationEndpoint, tokenEndpoint } = login
  if ((authorizationEndpoint === undefined) !== (tokenEndpoint === undefined)) {
    const [missing, given] = tokenEndpoint === undefined ? [ENDPOINTS[1], ENDPOINTS[0]] : [ENDPOINTS[0], ENDPOINTS[1]]
    complain(['login', missing], `required together with ${given}`)
  }
  const keys = ['jwksUri', 'jwks'].find(field => spec[field] !== undefined)
  if (keys !== undefined && authorizationEndpoint === undefined && tokenEndpoint === undefined)
    for (const field of [ENDPOINTS[0], ENDPOINTS[1]])
      complain(['login', field], `required: expected an http or https URL, because with ${keys} nothing is discovered`)
  checkPaths(spec, login, complain)
  const { methods } = spec
  if (Array.isArray(methods) && methods.length > 0 && !methods.includes('GET'))
    complain(
      ['methods'],
      `expected GET among them, got ${show(methods)}: browsers that ask for a page would pass, and none is ever sent to sign in`
    )
}

function checkPaths(
  spec: Readonly<Record<string, unknown>>,
  login: Readonly<Record<string, unknown>>,
  complain: (path: PolicyIssue['path'], message: string) => void
): void {
  const { redirectPath = DEFAULTS.redirectPath, signOutPath = DEFAULTS.signOutPath } = login
  if (typeof redirectPath === 'string' && typeof signOutPath === 'string' && isSamePath(redirectPath, signOutPath))
    complain(
      ['login', login['signOutPath'] === undefined ? 'redirectPath' : 'signOutPath'],
      `expected another path than that of ${login['signOutPath'] === undefined ? 'signOutPath' : 'redirectPath'}, got ${show(signOutPath)}`
    )
  const excluded: unknown = spec['excludePaths']
  if (!Array.isArray(excluded)) return
  for (const [index, pattern] of excluded.entries())
    for (const [field, path] of Object.entries({ redirectPath, signOutPath }))
      if (typeof pattern === 'string' && typeof path === 'string' && excludes(pattern, path))
        complain(
          ['excludePaths', index],
          `excludes ${show(path)}, the ${field} of login: leave it out, browsers reach that without a token`
        )
}

/** Of fields that were checked. */
export function makeLogin(fields: z.infer<typeof login>): Login {
  const { clientId, clientSecret, scopes = [], authorizationEndpoint, tokenEndpoint, endSessionEndpoint } = fields
  const { redirectPath = DEFAULTS.redirectPath, signOutPath = DEFAULTS.signOutPath, forwardTokens = false } = fields
  return Object.freeze({
    clientId,
    clientSecret: Object.freeze({ name: clientSecret.name, key: clientSecret.key ?? DEFAULTS.key }),
    // OpenID Connect Core 1.0, section 3.1.2.1: without it the answer has no ID token.
    scopes: Object.freeze([...new Set(['openid', ...scopes])]),
    redirectPath,
    signOutPath,
    ...(authorizationEndpoint === undefined ? {} : { authorizationEndpoint }),
    ...(tokenEndpoint === undefined ? {} : { tokenEndpoint }),
    ...(endSessionEndpoint === undefined ? {} : { endSessionEndpoint }),
    forwardTokens
  })
}

const IN_BETWEEN: Readonly<Record<(typeof ENDPOINTS)[number], string>> = {
  authorizationEndpoint: 'whoever is in between can sign in as somebody else',
  tokenEndpoint: 'whoever is in between can read the secret of the client, and replace tokens',
  endSessionEndpoint: 'whoever is in between can read the ID token'
}

/** What is allowed and seldom meant. */
export function loginWarnings(login: Login): readonly PolicyIssue[] {
  return ENDPOINTS.flatMap(field =>
    isPlainHttp(login[field] ?? '')
      ? [{ path: ['spec', 'login', field], message: `is http: ${IN_BETWEEN[field]}; https prevents it` }]
      : []
  )
}
