import {
  checkPeerAuthentication,
  describeIssue,
  type PeerAuthentication,
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

interface PolicyKind<Policy> {
  check(object: unknown): PolicyResult<Policy>
  /** Accepted, but probably not what its author meant. */
  warnings(policy: Policy): readonly string[]
}

const peerAuthentication: PolicyKind<PeerAuthentication> = {
  check: checkPeerAuthentication,
  warnings({ mode, portModes }) {
    const setsNothing = mode === 'UNSET' && [...portModes.values()].every(portMode => portMode === 'UNSET')
    return setsNothing ? ['it sets nothing: every mode is UNSET, so the next wider policy holds'] : []
  }
}

/** Every kind of policy, by group and kind; its versions are checked with the rest of the object. */
const KINDS: ReadonlyMap<string, (object: unknown) => ValidationResult> = new Map([
  ['security.istio.io/PeerAuthentication', object => validate(peerAuthentication, object)]
])

/** Accepts a policy, or says everything that is wrong with it. */
export function validatePolicy(object: TypedObject): ValidationResult {
  const { apiVersion, kind } = object
  const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.lastIndexOf('/')) : ''
  const known = KINDS.get(`${group}/${kind}`)
  if (known !== undefined) return known(object)
  const message = `${kind} of ${apiVersion}: expected one of ${[...KINDS.keys()].join(', ')}`
  return { kind: 'unsupported', message }
}

function validate<Policy>({ check, warnings }: PolicyKind<Policy>, object: unknown): ValidationResult {
  const result = check(object)
  if (!result.ok) return { kind: 'refuse', problems: result.issues.map(describeIssue) }
  return { kind: 'accept', warnings: warnings(result.policy) }
}
