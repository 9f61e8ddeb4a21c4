import { SpiffeId, type TrustDomain } from '../../shared/identity/index.ts'
import type { PodClaims } from './pod-token.ts'
import type { CallerRefusal, RenewalRefusal } from './refusal.ts'

/** A pod as the API server last told. */
export interface PodRecord {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly serviceAccount: string
  /** Undefined until it is scheduled. */
  readonly node: string | undefined
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown'
  /** `metadata.deletionTimestamp` in milliseconds since the epoch: when it shall be gone, its grace period included. */
  readonly deletionTime: number | undefined
  /** Why it gets no certificate although it is what it says; absent: it gets one. */
  readonly withheld?: {
    readonly reason: 'pod_not_enrolled' | 'pod_below_floor'
    /** Whether it applies to a pod that holds a certificate, too. */
    readonly fromRenewal: boolean
  }
}

/** The pods of the mesh. */
export interface PodDirectory {
  pod(uid: string): PodRecord | undefined
  podsOf(account: { namespace: string; serviceAccount: string }, node: string): readonly PodRecord[]
}

/** Whose certificate is granted, or why none is. */
export type Decision<Reason extends string = CallerRefusal | RenewalRefusal> =
  | { readonly granted: SpiffeId }
  | { readonly refused: Reason }

export interface AgentAccount {
  readonly namespace: string
  readonly serviceAccount: string
}

// As the API server itself judges tokens of pods that are being deleted: k8s.io/kubernetes,
// pkg/serviceaccount/claims.go.
const DELETION_LEEWAY_MS = 60_000

interface Account {
  readonly namespace: string
  readonly serviceAccount: string
}

/** What is wrong with a pod that shall be of that account and on that node. */
function podFault(
  pod: PodRecord | undefined,
  uid: string,
  { namespace, serviceAccount }: Account,
  node: string,
  now: number
): CallerRefusal | undefined {
  if (pod === undefined || pod.uid !== uid) return 'pod_unknown'
  if (pod.namespace !== namespace) return 'pod_differs'
  if (pod.serviceAccount !== serviceAccount) return 'other_account'
  if (pod.node !== node) return 'pod_elsewhere'
  return lifeFault(pod, now)
}

/** A pod that is being deleted serves until its grace period ends, and may need a certificate for it. */
function lifeFault({ phase, deletionTime }: PodRecord, now: number): CallerRefusal | undefined {
  if (phase === 'Succeeded' || phase === 'Failed') return 'pod_finished'
  if (deletionTime !== undefined && now > deletionTime + DELETION_LEEWAY_MS) return 'pod_deleted'
  return undefined
}

export interface WorkloadByToken {
  readonly trustDomain: TrustDomain
  /** Of a token that was verified. */
  readonly claims: PodClaims
  readonly requestedPodUid: string
  /** From the verified identity of the calling agent. */
  readonly callerNode: string
  /** What the directory holds under the requested UID. */
  readonly pod: PodRecord | undefined
  readonly now: number
}

/**
 * A pod's first certificate: token, request, directory and connection must all tell the same story, and the pod must be
 * one that may have a certificate.
 */
export function authorizeWorkloadByToken(facts: WorkloadByToken): Decision<CallerRefusal> {
  const { trustDomain, claims, requestedPodUid, callerNode, pod, now } = facts
  if (claims.podUid !== requestedPodUid) return { refused: 'other_pod' }
  if (claims.node !== callerNode) return { refused: 'other_node' }
  const fault = podFault(pod, requestedPodUid, claims, callerNode, now)
  if (fault !== undefined) return { refused: fault }
  if (pod?.name !== claims.podName) return { refused: 'pod_differs' }
  if (pod.withheld !== undefined) return { refused: pod.withheld.reason }
  return { granted: SpiffeId.workload(trustDomain, claims.namespace, claims.serviceAccount) }
}

export interface Renewal {
  readonly trustDomain: TrustDomain
  /** Of the current certificate, whose chain was verified. */
  readonly current: SpiffeId
  /** Whether the key of the current certificate signed this request. */
  readonly proofValid: boolean
  readonly requestedPodUid: string
  /** From the verified identity of the calling agent. */
  readonly callerNode: string
  /** What the directory holds under the requested UID. */
  readonly pod: PodRecord | undefined
  readonly now: number
}

/**
 * A pod's next certificate without a token. Three things are needed, so that a stolen key alone renews nothing: the
 * key, an agent, and a pod of that account on that agent's node.
 */
export function authorizeRenewal(facts: Renewal): Decision {
  const { trustDomain, current, proofValid, requestedPodUid, callerNode, pod, now } = facts
  if (!proofValid) return { refused: 'proof' }
  if (current.trustDomain !== trustDomain) return { refused: 'other_trust_domain' }
  if (current.subject.kind !== 'workload') return { refused: 'not_a_workload' }
  const fault = podFault(pod, requestedPodUid, current.subject, callerNode, now)
  if (fault !== undefined) return { refused: fault }
  return pod?.withheld?.fromRenewal === true ? { refused: pod.withheld.reason } : { granted: current }
}

export interface AgentByToken {
  readonly trustDomain: TrustDomain
  /** Of a token that was verified. */
  readonly claims: PodClaims
  readonly account: AgentAccount
  /** What the directory holds under the UID in the claims. */
  readonly pod: PodRecord | undefined
  readonly now: number
}

/** An agent's first certificate: its node is the one that the API server put into its token. */
export function authorizeAgent({ trustDomain, claims, account, pod, now }: AgentByToken): Decision<CallerRefusal> {
  if (claims.namespace !== account.namespace || claims.serviceAccount !== account.serviceAccount)
    return { refused: 'not_the_agent' }
  const fault = podFault(pod, claims.podUid, account, claims.node, now)
  if (fault !== undefined) return { refused: fault }
  if (pod?.name !== claims.podName) return { refused: 'pod_differs' }
  return { granted: SpiffeId.agent(trustDomain, claims.node) }
}

export interface AgentRenewal {
  readonly trustDomain: TrustDomain
  /** From the verified identity of the calling agent. */
  readonly node: string
  /** What the directory holds of the agents' account on that node. */
  readonly pods: readonly PodRecord[]
  readonly now: number
}

/** An agent's next certificate over mutual TLS: while its node has an agent. */
export function authorizeAgentRenewal({ trustDomain, node, pods, now }: AgentRenewal): Decision<CallerRefusal> {
  const alive = pods.some(pod => pod.node === node && lifeFault(pod, now) === undefined)
  return alive ? { granted: SpiffeId.agent(trustDomain, node) } : { refused: 'no_agent_pod' }
}
