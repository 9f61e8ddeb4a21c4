/** One thing that is wrong with a policy. */
export interface PolicyIssue {
  /** Where: keys and indices from the top of the object, for example ['spec', 'mtls', 'mode']; empty: the object. */
  readonly path: readonly (string | number)[]
  /** What: the value and what is allowed, without the path. Lower case, no final period. */
  readonly message: string
}

/** Either the policy, or everything that is wrong with it. */
export type PolicyResult<Policy> =
  | { readonly ok: true; readonly policy: Policy }
  | { readonly ok: false; readonly issues: readonly PolicyIssue[] }

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
