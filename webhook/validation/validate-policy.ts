import {
  checkEndUserAuthentication,
  checkPeerAuthentication,
  checkRequestAuthentication,
  describeIssue,
  type PolicyResult
} from '../../shared/policy/index.ts'

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

/** Accepts a policy, perhaps with warnings, or says everything that is wrong with it. */
export function validatePolicy(object: TypedObject): ValidationResult {
  const { apiVersion, kind } = object
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.lastIndexOf('/')) : ''
  const check = KINDS.get(`${group}/${kind}`)
  if (check === undefined) {
    const message = `${kind} of ${apiVersion}: expected one of ${[...KINDS.keys()].join(', ')}`
    return { kind: 'unsupported', message }
  }
  const result = check(object)
  if (!result.ok) return { kind: 'refuse', problems: result.issues.map(describeIssue) }
  return { kind: 'accept', warnings: result.warnings.map(describeIssue) }
}
