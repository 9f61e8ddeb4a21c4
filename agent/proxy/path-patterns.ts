// Path patterns, as users write them, as regular expressions for whole paths (RE2, which has no look-ahead).
//
// An application may read a path in more ways than one: ignore the case of letters, take `//` for `/`, decode `%2f`. So
// what is protected is matched widely and what is left open narrowly, and an unusual spelling is never left open.
// Source: RFC 3986, sections 2.2, 2.3 and 6.2; WHATWG URL, section 4.4, for the backslash.

/**
 * Matches paths in a spelling by which applications are misled, and that nobody needs: empty and dot segments,
 * backslashes, path parameters, and percent-encodings of what needs none, of separators, of controls, of nothing, and
 * of text that becomes one of these where it is decoded twice or too kindly (overlong UTF-8, wide forms).
 */
export const UNUSUAL_PATH = `(?i).*(?:${[
  '//',
  '\\\\',
  ';',
  '/\\.{1,2}(?:/|$)',
  // Unreserved characters: letters, digits, - . _ ~
  '%(?:2[de]|3[0-9]|[46][1-9a-f]|[57][0-9a]|5f|7e)',
  // Controls, and / \ ; %
  '%(?:[01][0-9a-f]|7f|2f|5c|3b|25)',
  '%(?:$|[^0-9a-f]|[0-9a-f](?:$|[^0-9a-f]))',
  '%(?:c[01]|e0%[89][0-9a-f]|f0%8[0-9a-f])',
  '%ef%b[cd]'
].join('|')}).*`

/** How the parts of a pattern are written as an expression. */
interface Spelling {
  readonly literal: (text: string) => string
  /** A final `/*`. */
  readonly below: string
}

// `?` and `#` end a path.
const ANYTHING = '[^?#]*'
const SEGMENT = '[^/?#]+'

const WIDE: Spelling = { literal: text => tokensOf(text).map(wide).join(''), below: `(?:/${ANYTHING})?` }
const NARROW: Spelling = { literal: text => tokensOf(text).map(escapedText).join(''), below: `/${ANYTHING}` }

/** Every path that `pattern` may mean to an application. */
export const widePath = (pattern: string): string => `(?i)${expand(pattern, WIDE)}/*`

/** Paths that are written as `pattern` is. Its wildcards match unusual spellings too: those are to be judged first. */
export const narrowPath = (pattern: string): string => expand(pattern, NARROW)

/** `*` at the end or the beginning is anything, `{name}` and `{*}` one segment, `{**}` any number of them. */
function expand(pattern: string, { literal, below }: Spelling): string {
  if (pattern === '*' || pattern === '/*') return ANYTHING
  if (pattern.endsWith('/*')) return `${literal(pattern.slice(0, -2))}${below}`
  if (pattern.endsWith('*')) return `${literal(pattern.slice(0, -1))}${ANYTHING}`
  if (pattern.startsWith('*')) return `${ANYTHING}${literal(pattern.slice(1))}`
  return pattern
    .split(/(\{[^{}]*\})/)
    .map((part, index) => (index % 2 === 0 ? literal(part) : part === '{**}' ? ANYTHING : SEGMENT))
    .join('')
}

/** Characters and percent-encodings, one by one; what is not ASCII comes in a path as its encoding. */
const tokensOf = (text: string): readonly string[] =>
  text.replace(/[^ -~]+/gu, encodeURIComponent).match(/%[0-9A-Fa-f]{2}|./g) ?? []

// Unreserved characters and the slash are themselves alone: their encodings are unusual, and judged before.
const wide = (token: string): string => {
  const character = token.length === 3 ? decoded(token) : token
  if (character === undefined || /^[A-Za-z0-9._~/-]$/.test(character)) return escapedText(token)
  return `(?:${escapedText(character)}|${encoded(character)})`
}

/** Text, as an expression that matches it alone. */
export const escapedText = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
const encoded = (character: string): string => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`

function decoded(token: string): string | undefined {
  const code = Number.parseInt(token.slice(1), 16)
  return code < 0x80 ? String.fromCharCode(code) : undefined
}
