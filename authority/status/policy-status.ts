/** The kinds of policies, as the API has them. */
export type PolicyKind = 'PeerAuthentication' | 'RequestAuthentication' | 'EndUserAuthentication'

/** What has conditions of ours: policies, and Services that others contradict. */
export type StatusKind = PolicyKind | 'Service'

/** The only condition of Services; what may write it is held to it by an admission policy of the chart. */
export const PROTOCOL_CONFLICT = 'countersign.dev/ProtocolConflict'

/** Something that is said of a policy or a Service. Kubernetes, meta/v1 Condition, without what only the API needs. */
export interface Condition {
  readonly type: 'Accepted' | 'WorkloadsSelected' | 'KeysReady' | 'PortsChecked' | 'Ready' | typeof PROTOCOL_CONFLICT
  readonly status: 'True' | 'False' | 'Unknown'
  /** One word, for programs. */
  readonly reason: string
  /** For people. */
  readonly message: string
}

/** Everything that is said of one object. */
export interface ObjectStatus {
  readonly kind: StatusKind
  readonly namespace: string
  readonly name: string
  /** Of the object that was judged; absent when it is not known. */
  readonly generation?: number
  readonly conditions: readonly Condition[]
}

/** As problems name their subjects, too: `PeerAuthentication shop/orders`. */
export function subjectOf({ kind, namespace, name }: Pick<ObjectStatus, 'kind' | 'namespace' | 'name'>): string {
  return `${kind} ${namespace}/${name}`
}

/** Whether a kind is about tokens, and so about keys and ports. */
export const isAboutTokens = (kind: PolicyKind): boolean => kind !== 'PeerAuthentication'
