import {
  checkEndUserAuthentication,
  checkPeerAuthentication,
  checkRequestAuthentication,
  describeIssue,
  type PolicyIssue,
  type PolicyResult
} from '../../shared/policy/index.ts'
import { newIssues, saysTheSame } from './ratchet.ts'

export type ValidationResult =
  | { readonly kind: 'accept'; readonly warnings: readonly string[] }
  /** The object is of a kind that is known and has these faults, each as a sentence with the path to the field. */
  | { readonly kind: 'refuse'; readonly problems: readonly string[] }
  /** Not a policy that this webhook knows. */
  | { readonly kind: 'unsupported'; readonly message: string }

/** What is looked at of any object before its kind is known. */
export interface TypedObject {
  readonly apiVersion: string
  readonly kind: string
}

/** Every kind of policy, by group and kind; its versions are checked with the rest of the object. */
const KINDS: ReadonlyMap<string, (object: unknown) => PolicyResult<unknown>> = new Map<
  string,
  (object: unknown) => PolicyResult<unknown>
>([
  ['security.istio.io/PeerAuthentication', checkPeerAuthentication],
  ['security.istio.io/RequestAuthentication', checkRequestAuthentication],
  ['countersign.dev/EndUserAuthentication', checkEndUserAuthentication]
])

/**
 * Accepts a policy, perhaps with warnings, or says everything that is wrong with it.
 *
 * A policy may have been stored with mistakes: before an upgrade, or while there was no webhook. An update that leaves
 * what it says as it is is accepted, with the mistakes as warnings, and so is one that leaves unknown fields as they are
 * and brings no other mistake.
 *
 * @param before the object as it is stored; absent when it is created
 */
export function validatePolicy(object: TypedObject, before?: unknown): ValidationResult {
  const { apiVersion, kind } = object
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.lastIndexOf('/')) : ''
  const check = KINDS.get(`${group}/${kind}`)
  if (check === undefined) {
    const message = `${kind} of ${apiVersion}: expected one of ${[...KINDS.keys()].join(', ')}`
    return { kind: 'unsupported', message }
  }
  const result = check(object)
  if (result.ok) return { kind: 'accept', warnings: result.warnings.map(describeIssue) }
  const isOld = before !== undefined && before !== null
  if (isOld && saysTheSame(before, object)) return acceptWithMistakes(result.issues)
  const issues = isOld ? newIssues(result.issues, before, object) : result.issues
  if (issues.length === 0) return acceptWithMistakes(result.issues)
  return { kind: 'refuse', problems: issues.map(describeIssue) }
}

/** kubectl shows each on a line of its own. */
const MOST_WARNINGS = 5

const STAYS_CLOSED =
  'the policy was stored with mistakes and is accepted because they did not change; what it selects stays closed until they are corrected'

function acceptWithMistakes(issues: readonly PolicyIssue[]): ValidationResult {
  return { kind: 'accept', warnings: [STAYS_CLOSED, ...issues.slice(0, MOST_WARNINGS).map(describeIssue)] }
}
