import type { ZodError } from 'zod'
import { type PolicyResult, type UnreadablePolicy, unreadablePolicy } from '../policy/index.ts'

export { formatPath } from '../policy/index.ts'

export type FieldPath = readonly (string | number)[]

/** One thing that is wrong with an object. */
export interface Issue {
  /** Where in the object, for example `['spec', 'ports', 0, 'port']`. */
  readonly path: FieldPath
  readonly message: string
}

/**
 * What became of an object. There may be a value and issues at once: then the value is the safe reading of an object
 * of which a part means nothing. No value: the object cannot be used.
 */
export interface Normalised<T> {
  readonly value: T | undefined
  readonly issues: readonly Issue[]
  /** What is allowed, and perhaps not what its author meant. */
  readonly warnings?: readonly Issue[]
}

/** A policy that cannot be understood has a value all the same: what it was to restrict is closed. */
export function normalisedPolicy<Policy>(
  kind: UnreadablePolicy['kind'],
  check: (object: unknown) => PolicyResult<Policy>
): (object: unknown) => Normalised<Policy | UnreadablePolicy> {
  return object => {
    const result = check(object)
    if (!result.ok) return { value: unreadablePolicy(kind, object, result.issues), issues: result.issues }
    return { value: result.policy, issues: [], warnings: result.warnings }
  }
}

export const isUnreadable = (value: object): value is UnreadablePolicy => 'issues' in value

/**
 * What a schema refused. The schemas of this room say only what is allowed; the value is added here, except for a
 * custom issue whose `params` say that its message is complete.
 */
export function issuesOf(error: ZodError, object: unknown): readonly Issue[] {
  return error.issues.map(issue => {
    const path = issue.path.map(key => (typeof key === 'symbol' ? String(key) : key))
    if (issue.code === 'custom' && issue.params?.['complete']) return { path, message: issue.message }
    const value = valueAt(object, path)
    if (value === undefined || value === null) return { path, message: `required: expected ${issue.message}` }
    return { path, message: `expected ${issue.message}, got ${show(value)}` }
  })
}

function valueAt(object: unknown, path: FieldPath): unknown {
  let value = object
  for (const key of path) value = (value as Record<string | number, unknown> | null | undefined)?.[key]
  return value
}

const LONGEST_SHOWN = 80

/** A value for a message: short, and never a whole structure. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'object' && value !== null) return 'a mapping'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length <= LONGEST_SHOWN ? text : `${text.slice(0, LONGEST_SHOWN)}…`
}
