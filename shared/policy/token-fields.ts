import type { z } from 'zod'
import { isReservedHeader, TOKEN } from './header-name.ts'
import { readKeySet } from './json-web-keys.ts'
import { canDiscover, issuerProblem, urlProblem } from './key-place.ts'
import { expected, flag, isRecord, list, show, strictObject, text, textWithout } from './schema.ts'
import { TIMEOUT_ALLOWED, timeoutMs } from './timeout.ts'

// What a RequestAuthentication says of each issuer, and an EndUserAuthentication of its one.

// Far more than anybody needs, and little enough for a proxy to look through with every request.
const MOST = { audiences: 256, places: 32, outputs: 64, claims: 64 }
const LONGEST_TEXT = 256

const fieldName = text(TOKEN, 'the name of a header: letters, digits, dashes and others that RFC 9110 allows')

const outputHeader = textWithout(name => {
  if (!TOKEN.test(name)) return `expected the name of a header as RFC 9110 allows it, got ${show(name)}`
  return isReservedHeader(name)
    ? `expected a header that is nobody else's, got ${show(name)}: what clients send in it would be removed`
    : undefined
}, 'the name of a header')

const claim = text(
  new RegExp(`^(?=.{1,${LONGEST_TEXT}}$)[^\\s.\\p{Cc}]+(\\.[^\\s.\\p{Cc}]+)*$`, 'u'),
  'the name of a claim, with dots between those of nested ones'
)

const audience = text(
  new RegExp(`^[^\\p{Cc}]{1,${LONGEST_TEXT}}$`, 'u'),
  `an audience of 1 to ${LONGEST_TEXT} characters`
)

const keys = textWithout(
  text => {
    const reading = readKeySet(text)
    return reading.ok ? undefined : reading.message
  },
  'a JSON Web Key Set as text',
  true
)

/** Visible at both ends of what is before the token; one space may follow. */
const PREFIX = /^([!-~]([ -~]{0,62}[!-~])? ?)?$/

export const tokenFields = {
  issuer: textWithout(issuerProblem, 'the issuer of the tokens'),
  audiences: list(audience, 'audience', MOST.audiences).optional(),
  jwksUri: textWithout(urlProblem, 'an http or https URL').optional(),
  // What stands there instead of text might be a key: it is not shown.
  jwks: keys.optional(),
  fromHeaders: list(
    strictObject({ name: fieldName, prefix: text(PREFIX, 'text that stands before a token, as "Bearer "').optional() }),
    'header',
    MOST.places
  ).optional(),
  fromParams: list(
    text(/^[!"$'-*,-<>-~]{1,128}$/, 'the name of a query parameter'),
    'parameter',
    MOST.places
  ).optional(),
  fromCookies: list(text(TOKEN, 'the name of a cookie as RFC 6265 allows it'), 'cookie', MOST.places).optional(),
  forwardOriginalToken: flag().optional(),
  outputPayloadToHeader: outputHeader.optional(),
  outputClaimToHeaders: list(strictObject({ header: outputHeader, claim }), 'claim', MOST.outputs).optional(),
  timeout: textWithout(
    text => (timeoutMs(text) === undefined ? expected(TIMEOUT_ALLOWED)({ input: text }) : undefined),
    TIMEOUT_ALLOWED
  ).optional(),
  spaceDelimitedClaims: list(claim, 'claim', MOST.claims).optional()
}

/** Checks of more than one field, for the `superRefine` of an object with these fields. */
export function checkTokenFields(value: unknown, context: z.core.$RefinementCtx): void {
  if (!isRecord(value)) return
  const complain = (field: string, message: string): void =>
    context.addIssue({ code: 'custom', path: [field], message })
  const { issuer, jwks } = value
  const uri = value['jwksUri'] ?? value['jwks_uri']
  if (jwks !== undefined && uri !== undefined)
    complain('jwks', 'not allowed together with jwksUri: keys are in one place')
  const isDiscovered = jwks === undefined && uri === undefined
  if (isDiscovered && typeof issuer === 'string' && issuerProblem(issuer) === undefined && !canDiscover(issuer))
    complain(
      'issuer',
      `without jwksUri or jwks the keys are looked for below it: expected an http or https URL without query, fragment and credentials${issuer.includes('@') ? '' : `, got ${show(issuer)}`}`
    )
  const outputs = outputHeadersOf(value)
  const twice = outputs.find((name, index) => outputs.indexOf(name) !== index)
  if (twice !== undefined) complain('outputClaimToHeaders', `expected every header once, got ${show(twice)} again`)
}

/** Beside other mistakes, not only once those are corrected. */
export const ALWAYS = { when: (): boolean => true }

/** Says it of a header that is both an output and a place for tokens: what clients send in it never arrives. */
export function lostTokenHeader(values: readonly unknown[]): string | undefined {
  const outputs = new Set(values.flatMap(outputHeadersOf))
  return values.flatMap(tokenHeadersOf).find(name => outputs.has(name))
}

function outputHeadersOf(value: unknown): readonly string[] {
  if (!isRecord(value)) return []
  const claims = namesIn(value['outputClaimToHeaders'], 'header')
  const payload = value['outputPayloadToHeader']
  return typeof payload === 'string' ? [payload.toLowerCase(), ...claims] : claims
}

const tokenHeadersOf = (value: unknown): readonly string[] =>
  isRecord(value) ? namesIn(value['fromHeaders'], 'name') : []

function namesIn(list: unknown, field: string): readonly string[] {
  if (!Array.isArray(list)) return []
  return list.flatMap(entry => {
    const name = isRecord(entry) ? entry[field] : undefined
    return typeof name === 'string' ? [name.toLowerCase()] : []
  })
}
