import { UNUSUAL_SPELLINGS, UTF8_PATH } from '../path-spelling/index.ts'
import { show } from './schema.ts'

const LONGEST = 512

interface Refusal {
  readonly when: RegExp
  readonly reason: string
}

/** A path in such a spelling is always protected, so a pattern in it would say nothing. */
const UNUSUAL: readonly Refusal[] = UNUSUAL_SPELLINGS.map(({ has, expression }) => ({
  when: new RegExp(expression, 'i'),
  reason: has
}))
const UTF8 = new RegExp(`^${UTF8_PATH}$`, 'i')

const MALFORMED: readonly Refusal[] = [
  { when: /^[^/*]|^$/, reason: 'to start with / or *' },
  { when: /[?#]/, reason: 'no query and no fragment: only paths are compared' },
  { when: /[^!-~]|["<>^`|]/, reason: 'blanks, controls, quotes, < > ^ ` | and what is not ASCII percent-encoded' },
  { when: /%(?![0-9a-f]{2})/i, reason: 'two hexadecimal digits after each %' }
]

/**
 * What is wrong with a path pattern: exact `/x`, prefix `/x/*`, suffix `*.html`, or template `/a/{id}/b`, in which
 * `{name}` and `{*}` are one segment, and `{**}` at the end any number.
 */
export function pathPatternProblem(pattern: string): string | undefined {
  if (pattern.length > LONGEST) return `expected at most ${LONGEST} characters, got ${pattern.length}`
  const malformed = MALFORMED.find(({ when }) => when.test(pattern))
  if (malformed !== undefined) return `expected ${malformed.reason}, got ${show(pattern)}`
  const unusual = UNUSUAL.find(({ when }) => when.test(pattern))
  const reason = unusual?.reason ?? (UTF8.test(pattern) ? undefined : 'percent-encoded bytes that are not UTF-8')
  if (reason !== undefined) return `could never match: paths with ${reason} are always protected, got ${show(pattern)}`
  const wildcards = /[{}]/.test(pattern) ? templateProblem(pattern) : starProblem(pattern)
  return wildcards === undefined ? undefined : `${wildcards}, got ${show(pattern)}`
}

/** Whether every path matches: as an exclusion it would end the protection. */
export const matchesEveryPath = (pattern: string): boolean => ['*', '/*', '/{**}'].includes(pattern)

function starProblem(pattern: string): string | undefined {
  const stars = pattern.split('*').length - 1
  if (stars === 0 || (stars === 1 && (pattern.startsWith('*') || pattern.endsWith('*')))) return undefined
  return 'expected one * at the very beginning or end; for one segment in between write {*}'
}

const SEGMENT = /^([^{}*]*|\{([A-Za-z_][A-Za-z0-9_]*|\*)\})$/

function templateProblem(pattern: string): string | undefined {
  const segments = pattern.split('/')
  if (segments.slice(0, -1).includes('{**}')) return 'expected {**} at the end only'
  if (segments.at(-1) === '{**}') segments.pop()
  return segments.every(segment => SEGMENT.test(segment))
    ? undefined
    : 'expected {name}, {*} or {**} as a whole segment, and no other * beside them'
}
