import type { Inventory } from '../../shared/inventory/index.ts'
import type { PolicyIdentity, TokenSource } from '../../shared/policy/index.ts'
import { type Condition, hasKeys, type PolicyKind, type PolicyStatus, subjectOf } from './policy-status.ts'
import { SelectedAccounts } from './selected-accounts.ts'

/** Something that naming found. */
interface Problem {
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
}

/** More of them make nothing clearer, and change more often. */
const MOST_NAMED = 5

/** What is to be said of every valid policy. Equal inputs give equal statuses, in every replica. */
export function policyStatuses({ inventory, rootNamespace, problems, keysOf }: StatusInputs): readonly PolicyStatus[] {
  const accounts = new SelectedAccounts(inventory, rootNamespace)
  const problemsOf = Map.groupBy(problems, ({ object }) => object)
  const judge = (kind: PolicyKind, policy: PolicyIdentity, sources: readonly TokenSource[]): PolicyStatus => {
    const { namespace, name, generation, selector } = policy
    const identity = { kind, namespace, name, ...(generation === undefined ? {} : { generation }) }
    const about = { ...identity, ...(selector === undefined ? {} : { selector }) }
    const parts = [
      accepted(problemsOf.get(subjectOf(identity)) ?? []),
      ...(hasKeys(kind) ? [keysReady(sources, keysOf)] : [])
    ]
    return { ...identity, conditions: [ready(parts), ...parts, workloadsSelected(accounts.of(about))] }
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
    ...(hasKeys(kind) ? [unknown('KeysReady')] : []),
    unknown('WorkloadsSelected')
  ]
}

function accepted(problems: readonly Problem[]): Condition {
  const ignored = problems.find(({ kind }) => kind === 'policy-ignored')
  if (ignored !== undefined) return condition('Accepted', 'False', 'Ignored', ignored.message)
  if (problems.length === 0) return condition('Accepted', 'True', 'Accepted', 'the policy is valid')
  const messages = problems.map(({ message }) => message)
  return condition('Accepted', 'True', 'AcceptedWithProblems', named(messages, '; '))
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

/** A policy that selects nothing is ready all the same: for pods that are still to come. */
function ready(parts: readonly Condition[]): Condition {
  const failed = parts.find(({ status }) => status === 'False')
  return failed === undefined
    ? condition('Ready', 'True', 'Ready', 'the policy holds')
    : condition('Ready', 'False', failed.reason, failed.message)
}

function named(texts: readonly string[], between: string): string {
  const shown = texts.slice(0, MOST_NAMED).join(between)
  return texts.length > MOST_NAMED ? `${shown}${between}and others` : shown
}

function condition(type: Condition['type'], status: Condition['status'], reason: string, message: string): Condition {
  return { type, status, reason, message }
}
