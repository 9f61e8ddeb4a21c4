import type { z } from 'zod'
import type { PolicyIssue } from './issue.ts'
import { readKeySet } from './json-web-keys.ts'
import { isPlainHttp } from './key-place.ts'
import { timeoutMs } from './timeout.ts'
import type { tokenFields } from './token-fields.ts'
import type { TokenSource } from './token-source.ts'

type TokenFields = z.infer<z.ZodObject<typeof tokenFields>>

/** Of fields that were checked. */
export function makeTokenSource(fields: TokenFields): TokenSource {
  const { issuer, audiences = [], jwksUri, jwks, timeout, outputPayloadToHeader } = fields
  const { fromHeaders = [], fromParams = [], fromCookies = [], forwardOriginalToken = false } = fields
  const { outputClaimToHeaders = [], spaceDelimitedClaims = [] } = fields
  const keys = jwks === undefined ? undefined : readKeySet(jwks)
  const fetchMs = timeout === undefined ? undefined : timeoutMs(timeout)
  return Object.freeze({
    issuer,
    audiences: Object.freeze([...audiences]),
    ...(jwksUri === undefined ? {} : { jwksUri }),
    ...(keys?.ok ? { jwks: keys.jwks } : {}),
    ...(fetchMs === undefined ? {} : { timeoutMs: fetchMs }),
    fromHeaders: Object.freeze(
      fromHeaders.map(({ name, prefix = '' }) => Object.freeze({ name: name.toLowerCase(), prefix }))
    ),
    fromParams: Object.freeze([...fromParams]),
    fromCookies: Object.freeze([...fromCookies]),
    forwardOriginalToken,
    ...(outputPayloadToHeader === undefined ? {} : { outputPayloadToHeader: outputPayloadToHeader.toLowerCase() }),
    outputClaimToHeaders: Object.freeze(
      outputClaimToHeaders.map(({ header, claim }) => Object.freeze({ header: header.toLowerCase(), claim }))
    ),
    spaceDelimitedClaims: Object.freeze([...spaceDelimitedClaims])
  })
}

/** What is allowed and seldom meant. */
export function tokenWarnings(path: PolicyIssue['path'], source: TokenSource): readonly PolicyIssue[] {
  const { issuer, audiences, jwksUri, jwks } = source
  const warnings: PolicyIssue[] = []
  const warn = (field: string, message: string): number => warnings.push({ path: [...path, field], message })
  if (audiences.length === 0)
    warn(
      'audiences',
      'absent: tokens that this issuer made for other applications are taken too (RFC 8725, section 3.9)'
    )
  if (jwksUri !== undefined && isPlainHttp(jwksUri))
    warn('jwksUri', 'is http: whoever is in between can replace the keys; https prevents it')
  if (jwksUri === undefined && jwks === undefined && isPlainHttp(issuer))
    warn('issuer', 'is http, and the keys are looked for below it: whoever is in between can replace them')
  return warnings
}
