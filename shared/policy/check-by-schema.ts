import type { z } from 'zod'
import { type PolicyIssue, refused } from './issue.ts'
import { structureIssue } from './structure.ts'

type Checked<T> =
  | { readonly ok: true; readonly data: T }
  | { readonly ok: false; readonly issues: readonly PolicyIssue[] }

/** What an object holds by its schema, or everything that is wrong with it. Never throws, whatever the object is. */
export function checkBySchema<S extends z.ZodType>(schema: S, object: unknown): Checked<z.output<S>> {
  const issue = structureIssue(object)
  if (issue !== undefined) return { ok: false, issues: Object.freeze([Object.freeze(issue)]) }
  const result = schema.safeParse(object)
  return result.success ? { ok: true, data: result.data } : refused(result.error)
}
