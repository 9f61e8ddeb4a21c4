import type { z } from 'zod'
import { CountersignError } from '../errors/index.ts'

/** One thing that is wrong with a policy. */
export interface PolicyIssue {
  /** Where: keys and indices from the top of the object, for example ['spec', 'mtls', 'mode']; empty: the object. */
  readonly path: readonly (string | number)[]
  /** What: the value and what is allowed, without the path. Lower case, no final period. */
  readonly message: string
  /** The kind has no such field, or Countersign does not support it. Absent: the field is known, its value is wrong. */
  readonly unknownField?: true
}

/** Either the policy, with what its author may not have meant, or everything that is wrong with it. */
export type PolicyResult<Policy> =
  | { readonly ok: true; readonly policy: Policy; readonly warnings: readonly PolicyIssue[] }
  | { readonly ok: false; readonly issues: readonly PolicyIssue[] }

export function accepted<Policy>(policy: Policy, warnings: readonly PolicyIssue[]): PolicyResult<Policy> {
  return { ok: true, policy: Object.freeze(policy), warnings: Object.freeze(warnings.map(freezeIssue)) }
}

/** The parameter by which a schema says that a field is unknown. */
export const UNKNOWN_FIELD = 'unknownField'

/** More would not be read, and their number is up to the author. */
const MOST_ISSUES = 32

export function refused(error: z.ZodError): { readonly ok: false; readonly issues: readonly PolicyIssue[] } {
  const issues = error.issues.slice(0, MOST_ISSUES).map(issue => {
    const path = issue.path.map(key => (typeof key === 'number' ? key : String(key)))
    const isUnknown = issue.code === 'custom' && issue.params?.[UNKNOWN_FIELD] === true
    return freezeIssue({ path, message: issue.message, ...(isUnknown ? { unknownField: true } : {}) })
  })
  return { ok: false, issues: Object.freeze(issues) }
}

function freezeIssue({ path, ...rest }: PolicyIssue): PolicyIssue {
  return Object.freeze({ path: Object.freeze([...path]), ...rest })
}

/** @throws CountersignError ERR_POLICY_INVALID naming every field that is wrong; `facts.issues` holds them one by one */
export function policyOf<Policy>(kind: string, result: PolicyResult<Policy>): Policy {
  if (result.ok) return result.policy
  const issues = result.issues.map(describeIssue)
  throw new CountersignError('ERR_POLICY_INVALID', `${kind} is not valid: ${issues.join('; ')}`, { facts: { issues } })
}

/** One issue as a sentence: `spec.mtls.mode: expected one of …, got "strict"`. */
export function describeIssue(issue: PolicyIssue): string {
  return issue.path.length === 0 ? issue.message : `${formatPath(issue.path)}: ${issue.message}`
}

const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_]*$/

/** A path as people write it: `spec.selector.matchLabels["app.kubernetes.io/name"]`. */
export function formatPath(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number' || !PLAIN_KEY.test(key)) return `${text}[${JSON.stringify(key)}]`
    return text === '' ? key : `${text}.${key}`
  }, '')
}
