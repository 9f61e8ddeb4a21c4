/** The kinds of policies, as the API has them. */
export type PolicyKind = 'PeerAuthentication' | 'RequestAuthentication' | 'EndUserAuthentication'

/** Something that is said of a policy. Kubernetes, meta/v1 Condition, without what only the API needs. */
export interface Condition {
  readonly type: 'Accepted' | 'WorkloadsSelected' | 'KeysReady' | 'PortsChecked' | 'Ready'
  readonly status: 'True' | 'False' | 'Unknown'
  /** One word, for programs. */
  readonly reason: string
  /** For people. */
  readonly message: string
}

/** Everything that is said of one policy. */
export interface PolicyStatus {
  readonly kind: PolicyKind
  readonly namespace: string
  readonly name: string
  /** Of the policy that was judged; absent when it is not known. */
  readonly generation?: number
  readonly conditions: readonly Condition[]
}

/** As problems name their subjects, too: `PeerAuthentication shop/orders`. */
export function subjectOf({ kind, namespace, name }: Pick<PolicyStatus, 'kind' | 'namespace' | 'name'>): string {
  return `${kind} ${namespace}/${name}`
}

/** Whether a kind is about tokens, and so about keys and ports. */
export const isAboutTokens = (kind: PolicyKind): boolean => kind !== 'PeerAuthentication'
