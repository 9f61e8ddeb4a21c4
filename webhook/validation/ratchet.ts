import { isDeepStrictEqual } from 'node:util'
import type { PolicyIssue } from '../../shared/policy/index.ts'

type Fields = Readonly<Record<string, unknown>>

/** Written by somebody else than the author, or no part of what the policy says. */
const NOT_JUDGED: ReadonlySet<string> = new Set(['apiVersion', 'metadata', 'status'])

/**
 * Whether an update leaves everything that a policy says as it was stored. Then it is about labels, annotations,
 * finalizers or owners, which must be possible whatever the policy says. Metadata that a policy is read from counts as
 * what it says.
 */
export function saysTheSame(before: unknown, after: unknown): boolean {
  if (!isFields(before) || !isFields(after)) return false
  const keys = new Set([...Object.keys(before), ...Object.keys(after)].filter(key => !NOT_JUDGED.has(key)))
  return [...keys].every(key => isSame(before[key], after[key])) && isSame(readMetadata(before), readMetadata(after))
}

/** Issues that an update brings: those but unknown fields that were stored with the same value. */
export function newIssues(issues: readonly PolicyIssue[], before: unknown, after: unknown): readonly PolicyIssue[] {
  return issues.filter(({ unknownField, path }) => {
    if (unknownField !== true || path.length === 0) return true
    const [old, now] = [valueAt(before, path), valueAt(after, path)]
    return old === undefined || !isSame(old, now)
  })
}

/** Annotations of Countersign are part of what a policy says. */
function readMetadata({ metadata }: Fields): unknown {
  const annotations = isFields(metadata) ? metadata['annotations'] : undefined
  if (!isFields(annotations)) return {}
  return Object.fromEntries(Object.entries(annotations).filter(([key]) => key.startsWith('countersign.dev/')))
}

function valueAt(object: unknown, path: PolicyIssue['path']): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Record<string | number, unknown>)[key]
        : undefined,
    object
  )
}

/** What is nested too deeply to be compared is not the same. */
function isSame(a: unknown, b: unknown): boolean {
  try {
    return isDeepStrictEqual(a, b)
  } catch {
    return false
  }
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
