import type { ZodError } from 'zod'
import type { PolicyResult } from '../policy/index.ts'

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

export function normalisedPolicy<Policy>(result: PolicyResult<Policy>): Normalised<Policy> {
  if (!result.ok) return { value: undefined, issues: result.issues }
  return { value: result.policy, issues: [], warnings: result.warnings }
}

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
