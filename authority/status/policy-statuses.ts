import type { Inventory } from '../../shared/inventory/index.ts'
import type { PolicyIdentity, TokenSource } from '../../shared/policy/index.ts'
import type { Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { type Condition, isAboutTokens, type ObjectStatus, type PolicyKind, subjectOf } from './policy-status.ts'
import { PortReports } from './port-reports.ts'
import { gapTexts, isCheckedEverywhere, type PortFacts, portsChecked } from './ports-checked.ts'
import { SelectedAccounts } from './selected-accounts.ts'

/** Something that naming found. */
export interface Problem {
  /** `policy-ignored` is said of a policy that has no effect at all. */
  readonly kind: string
  /** `PeerAuthentication shop/orders` */
  readonly object: string
  readonly message: string
}

/** What is known of the keys of one issuer. */
interface KnownKeys {
  /** Undefined: there are none. */
  readonly jwks: string | undefined
  readonly condition: { readonly status: 'ready' | 'waiting' | 'failing'; readonly message: string }
}

/** What statuses are made of. */
export interface StatusInputs {
  readonly inventory: Pick<
    Inventory,
    'pods' | 'peerAuthentications' | 'requestAuthentications' | 'endUserAuthentications'
  >
  readonly rootNamespace: string
  readonly problems: readonly Problem[]
  /** Undefined while nobody has looked for them. */
  readonly keysOf: (source: TokenSource) => KnownKeys | undefined
  /** What agents are told of pods. Default: none. */
  readonly workloads?: Iterable<Workload>
}

/** More of them make nothing clearer, and change more often. */
const MOST_NAMED = 5
const WITH_PROBLEMS = 'AcceptedWithProblems'

/** Problems of policies that are no sign of a pod or a port on which the policy is not enforced. */
const NO_GAPS: ReadonlySet<string> = new Set([
  'policy-ignored',
  'policy-overridden',
  'login-ignored',
  'login-unavailable',
  'fields-dropped',
  'below-floor'
])
/** What the condition PortsChecked says better. */
const OF_PORTS = 'end-users-unchecked'

interface Judged extends PolicyIdentity {
  readonly exemptPorts?: readonly number[]
}

/** What is to be said of every valid policy. Equal inputs give equal statuses, in every replica. */
export function policyStatuses(inputs: StatusInputs): readonly ObjectStatus[] {
  const { inventory, rootNamespace, problems, keysOf, workloads = [] } = inputs
  const accounts = new SelectedAccounts(inventory, rootNamespace)
  const reports = new PortReports(workloads)
  const problemsOf = Map.groupBy(
    problems.filter(({ kind }) => kind !== OF_PORTS),
    ({ object }) => object
  )
  const judge = (kind: PolicyKind, policy: Judged, sources: readonly TokenSource[]): ObjectStatus => {
    const { namespace, name, generation, selector, exemptPorts = [] } = policy
    const identity = { kind, namespace, name, ...(generation === undefined ? {} : { generation }) }
    const about = { ...identity, ...(selector === undefined ? {} : { selector }) }
    const selected = workloadsSelected(accounts.of(about))
    const own = problemsOf.get(subjectOf(identity)) ?? []
    const isGap = ({ kind }: Problem): boolean => !NO_GAPS.has(kind)
    const gaps = own.filter(isGap).map(({ message }) => message)
    const validity = accepted(own.filter(problem => !isGap(problem)))
    if (!isAboutTokens(kind)) return { ...identity, conditions: [readyOnPods(validity, gaps), validity, selected] }
    const facts: PortFacts = { reports: reports.of(subjectOf(identity)), exemptPorts, gaps }
    const ports = portsChecked(facts)
    const parts = [validity, keysReady(sources, keysOf), ports]
    const holds = isCheckedEverywhere(facts) ? undefined : ports.message
    return { ...identity, conditions: [ready(parts, holds), ...parts, selected] }
  }
  return [
    ...inventory.peerAuthentications.map(policy => judge('PeerAuthentication', policy, [])),
    ...inventory.requestAuthentications.map(policy => judge('RequestAuthentication', policy, policy.rules)),
    ...inventory.endUserAuthentications.map(policy => judge('EndUserAuthentication', policy, [policy.source]))
  ]
}

/** What is to be said of a policy that cannot be understood: it may have come past the webhook. */
export function invalidConditions(kind: PolicyKind, problem: string): readonly Condition[] {
  const unknown = (type: Condition['type']): Condition =>
    condition(type, 'Unknown', 'Invalid', 'the policy is not valid')
  return [
    condition('Ready', 'False', 'Invalid', problem),
    condition('Accepted', 'False', 'Invalid', problem),
    ...(isAboutTokens(kind) ? [unknown('KeysReady'), unknown('PortsChecked')] : []),
    unknown('WorkloadsSelected')
  ]
}

function accepted(problems: readonly Problem[]): Condition {
  const ignored = problems.find(({ kind }) => kind === 'policy-ignored')
  if (ignored !== undefined) return condition('Accepted', 'False', 'Ignored', ignored.message)
  if (problems.length === 0) return condition('Accepted', 'True', 'Accepted', 'the policy is valid')
  const messages = problems.map(({ message }) => message)
  return condition('Accepted', 'True', WITH_PROBLEMS, named(messages, '; '))
}

export function workloadsSelected(accounts: readonly string[]): Condition {
  if (accounts.length === 0)
    return condition('WorkloadsSelected', 'False', 'NoWorkload', 'no pod that has a proxy is selected')
  const message = `selects pods of the service accounts ${named(accounts, ', ')}`
  return condition('WorkloadsSelected', 'True', 'WorkloadsSelected', message)
}

function keysReady(sources: readonly TokenSource[], keysOf: StatusInputs['keysOf']): Condition {
  const known = sources.map(source => ({ issuer: source.issuer, keys: keysOf(source) }))
  const tell = (which: typeof known): string =>
    named(
      which.map(({ issuer, keys }) => `${issuer}: ${keys?.condition.message ?? 'keys were not asked for yet'}`),
      '; '
    )
  const without = known.filter(({ keys }) => keys?.jwks === undefined)
  const failing = known.filter(({ keys }) => keys?.condition.status === 'failing')
  if (without.some(({ keys }) => keys?.condition.status === 'failing'))
    return condition('KeysReady', 'False', 'KeysUnavailable', tell(failing))
  if (without.length > 0) return condition('KeysReady', 'False', 'WaitingForKeys', tell(without))
  if (failing.length > 0) return condition('KeysReady', 'True', 'KeysNotRefreshed', tell(failing))
  return condition('KeysReady', 'True', 'KeysReady', 'the keys of every issuer are there')
}

/**
 * A policy that selects nothing is ready all the same: for pods that are still to come.
 *
 * @param holds what is true instead, where the policy does not check every port
 */
function ready(parts: readonly Condition[], holds?: string): Condition {
  const failed = parts.find(({ status }) => status === 'False')
  if (failed !== undefined) return condition('Ready', 'False', failed.reason, failed.message)
  const problems = parts.find(({ reason }) => reason === WITH_PROBLEMS)?.message
  return condition('Ready', 'True', 'Ready', holds ?? problems ?? 'the policy holds')
}

/** Of a policy that has no condition for its gaps. */
function readyOnPods(validity: Condition, gaps: readonly string[]): Condition {
  if (gaps.length === 0 || validity.status === 'False') return ready([validity])
  return condition('Ready', 'False', 'NotEnforced', gapTexts(gaps).join('; '))
}

function named(texts: readonly string[], between: string): string {
  const shown = texts.slice(0, MOST_NAMED).join(between)
  return texts.length > MOST_NAMED ? `${shown}${between}and others` : shown
}

function condition(type: Condition['type'], status: Condition['status'], reason: string, message: string): Condition {
  return { type, status, reason, message }
}
