// Path patterns, as users write them, as regular expressions for whole paths (RE2, which has no look-ahead).
//
// An application may read a path in more ways than one: ignore the case of letters, take `//` for `/`, decode `%2f`. So
// what is protected is matched widely and what is left open narrowly, and an unusual spelling is never left open.
// Source: RFC 3986, sections 2.2, 2.3 and 6.2.

import { UNUSUAL_SPELLINGS, UTF8_PATH } from '../../shared/path-spelling/index.ts'

/** Matches paths in a spelling by which applications are misled, and that no client needs. */
export const UNUSUAL_PATH = `(?i).*(?:${UNUSUAL_SPELLINGS.map(({ expression }) => expression).join('|')}).*`

/** Matches `:path`, query included, where the percent-encoded bytes of the path are UTF-8. */
export const UTF8_TARGET = `(?i)${UTF8_PATH}(?:[?#]\\C*)?`

/** How the parts of a pattern are written as an expression. */
interface Spelling {
  readonly literal: (text: string) => string
  /** A final `/*`. */
  readonly below: string
}

// `?` and `#` end a path.
const ANYTHING = '[^?#]*'
const SEGMENT = '[^/?#]+'

const WIDE: Spelling = { literal: text => tokensOf(composed(text)).map(wide).join(''), below: `(?:/${ANYTHING})?` }
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

/** Percent-encodings of what is not ASCII, as many as follow each other; of ASCII, and characters, one by one. */
const tokensOf = (text: string): readonly string[] =>
  encodedText(text).match(/(?:%[89A-F][0-9A-F])+|%[0-9A-F]{2}|./gi) ?? []

/** What is not ASCII comes in a path as its encoding. */
const encodedText = (text: string): string => text.replace(/[^ -~]+/gu, encodeURIComponent)

/** Letters with accents as one character each (NFC). */
function composed(text: string): string {
  try {
    return encodedText(text)
      .replace(/(?:%[89A-F][0-9A-F])+/gi, decodeURIComponent)
      .normalize('NFC')
  } catch {
    // Not UTF-8: it stays as it is written.
    return text
  }
}

// An application may compare in any case and in any normal form (NFD has an ASCII letter before each accent), so any
// characters outside ASCII are taken for those of the pattern.
const OUTSIDE_ASCII = '(?:[a-z]?%[89a-f][0-9a-f])+'

// Unreserved characters and the slash are themselves alone: their encodings are unusual, and judged before.
const wide = (token: string): string => {
  if (/^%[89a-f]/i.test(token)) return OUTSIDE_ASCII
  const character = token.length === 3 ? String.fromCharCode(Number.parseInt(token.slice(1), 16)) : token
  if (/^[A-Za-z0-9._~/-]$/.test(character)) return escapedText(token)
  return `(?:${escapedText(character)}|${encoded(character)})`
}

/** Text, as an expression that matches it alone. */
export const escapedText = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
const encoded = (character: string): string => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`
