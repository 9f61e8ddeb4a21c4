import { z } from 'zod'
import { checkBySchema } from './check-by-schema.ts'
import { EXEMPT_PORTS_ANNOTATION, exemptPortsIn, exemptPortsText } from './exempt-ports.ts'
import { accepted, type PolicyIssue, type PolicyResult, policyOf } from './issue.ts'
import { urlProblem } from './key-place.ts'
import { makeTokenSource, tokenWarnings } from './make-token-source.ts'
import { identityOf, metadata, NO_GATEWAYS, selector } from './policy-identity.ts'
import type { JwtRule, RequestAuthentication } from './request-authentication.ts'
import { isRecord, list, oneOf, openObject, show, strictObject, textWithout } from './schema.ts'
import { ALWAYS, checkTokenFields, lostTokenHeader, tokenFields } from './token-fields.ts'

/** Each is part of every proxy that is selected, and may be a place that keys are fetched from. Istio has 4096. */
const MOST_RULES = 64

const NO_PATHS = 'not here: paths and methods are those of an EndUserAuthentication'
const NO_PORTS_FIELD = `not here: write the annotation ${EXEMPT_PORTS_ANNOTATION}`

const rule = strictObject(
  {
    ...tokenFields,
    presence: oneOf(['OPTIONAL', 'REQUIRED']).optional(),
    // The other spelling of jwksUri that Istio takes.
    jwks_uri: textWithout(urlProblem, 'an http or https URL').optional()
  },
  { includePaths: NO_PATHS, excludePaths: NO_PATHS, methods: NO_PATHS, exemptPorts: NO_PORTS_FIELD }
)
  .superRefine(checkTokenFields, ALWAYS)
  .superRefine((value: unknown, context) => {
    if (isRecord(value) && value['jwksUri'] !== undefined && value['jwks_uri'] !== undefined)
      context.addIssue({ code: 'custom', path: ['jwks_uri'], message: 'not allowed together with jwksUri' })
  }, ALWAYS)

const spec = strictObject(
  { selector: selector.optional(), jwtRules: list(rule, 'rule', MOST_RULES).optional() },
  {
    targetRef: NO_GATEWAYS,
    targetRefs: NO_GATEWAYS,
    presence: 'not here: write it in a rule of jwtRules',
    exemptPorts: NO_PORTS_FIELD
  }
).superRefine((value: unknown, context) => {
  const rules = isRecord(value) ? value['jwtRules'] : undefined
  const name = Array.isArray(rules) ? lostTokenHeader(rules) : undefined
  if (name === undefined) return
  const message = `expected other headers for claims than for tokens, got ${show(name)}: what clients send in it would be removed`
  context.addIssue({ code: 'custom', path: ['jwtRules'], message })
}, ALWAYS)

const annotations = openObject({ [EXEMPT_PORTS_ANNOTATION]: exemptPortsText.optional() })

const requestAuthentication = strictObject({
  apiVersion: oneOf(['security.istio.io/v1', 'security.istio.io/v1beta1']),
  kind: oneOf(['RequestAuthentication']),
  metadata: metadata.extend({ annotations: annotations.nullish() }),
  spec: spec.optional(),
  status: z.unknown().optional()
})

/**
 * Checks a RequestAuthentication as it was written, in YAML or JSON. An absent namespace is `default`, as for kubectl.
 * Stricter than Istio: no unknown field, no gateways, and nothing in a rule that could never work.
 *
 * Source: istio.io/docs/reference/config/security/request_authentication and jwt
 */
export function checkRequestAuthentication(object: unknown): PolicyResult<RequestAuthentication> {
  const result = checkBySchema(requestAuthentication, object)
  if (!result.ok) return result
  const { apiVersion, metadata, spec } = result.data
  const rules = (spec?.jwtRules ?? []).map(
    ({ jwks_uri, jwksUri = jwks_uri, presence, ...fields }): JwtRule =>
      Object.freeze({
        ...makeTokenSource({ ...fields, jwksUri }),
        ...(presence === 'REQUIRED' ? { required: true as const } : {})
      })
  )
  const policy: RequestAuthentication = {
    ...identityOf(apiVersion, metadata, spec?.selector),
    rules: Object.freeze(rules),
    exemptPorts: exemptPortsIn(metadata.annotations?.[EXEMPT_PORTS_ANNOTATION] ?? '') ?? NO_PORTS
  }
  const warnings = rules.flatMap((source, index) => tokenWarnings(['spec', 'jwtRules', index], source))
  if (rules.length === 0) return accepted(policy, [NO_RULES])
  return accepted(policy, rules.some(({ required }) => required) ? warnings : [...warnings, DEMANDS_NOTHING])
}

const NO_PORTS: readonly number[] = Object.freeze([])

const NO_RULES: PolicyIssue = { path: ['spec', 'jwtRules'], message: 'absent: the policy does nothing' }

const DEMANDS_NOTHING: PolicyIssue = {
  path: ['kind'],
  message:
    'requests without a token pass: only wrong tokens are refused; presence: REQUIRED in a rule, or an EndUserAuthentication demands one'
}

/**
 * As `checkRequestAuthentication`, for who needs no list of issues.
 *
 * @throws CountersignError ERR_POLICY_INVALID naming every field that is wrong; `facts.issues` holds them one by one
 */
export function parseRequestAuthentication(object: unknown): RequestAuthentication {
  return policyOf('RequestAuthentication', checkRequestAuthentication(object))
}
