import type { Inventory } from '../../shared/inventory/index.ts'
import type { UnreadablePolicy } from '../../shared/policy/index.ts'
import { type Condition, type ObjectStatus, type PolicyKind, subjectOf } from './policy-status.ts'
import { invalidConditions, type Problem, workloadsSelected } from './policy-statuses.ts'
import { gapTexts } from './ports-checked.ts'
import { SelectedAccounts } from './selected-accounts.ts'

/** The reason by which programs know that what a policy selects is closed. */
export const INVALID_CLOSED = 'InvalidClosed'

const CLOSED: Readonly<Record<PolicyKind, string>> = {
  PeerAuthentication: 'accept mutual TLS alone (STRICT) on every port',
  RequestAuthentication: 'refuse every request with 401',
  EndUserAuthentication: 'refuse every request with 401'
}

/**
 * What is to be said of a policy that cannot be understood: it may have come past the webhook, or be of a newer version.
 *
 * @param gaps why it is not enforced on some of the pods that it selects
 */
export function closedConditions(
  kind: PolicyKind,
  { issues }: Pick<UnreadablePolicy, 'issues'>,
  gaps: readonly string[] = []
): readonly Condition[] {
  const closed = `${issues.join('; ')}. Until the policy is corrected or deleted, the workloads that it selects ${CLOSED[kind]}`
  const message = gaps.length === 0 ? closed : `${closed}. Not all of them: it ${gapTexts(gaps).join('; ')}`
  return invalidConditions(kind, message).map(condition => ({ ...condition, reason: INVALID_CLOSED }))
}

/** What is to be said of every policy that cannot be understood. Equal inputs give equal statuses, in every replica. */
export function unreadableStatuses(
  inventory: Pick<Inventory, 'pods' | 'unreadablePolicies'>,
  rootNamespace: string,
  problems: readonly Problem[] = []
): readonly ObjectStatus[] {
  if (inventory.unreadablePolicies.length === 0) return []
  const accounts = new SelectedAccounts(inventory, rootNamespace)
  const gapsOf = (policy: UnreadablePolicy): readonly string[] =>
    problems
      .filter(({ kind, object }) => kind === 'not-enforced' && object === subjectOf(policy))
      .map(({ message }) => message)
  return inventory.unreadablePolicies.map(policy => {
    const { kind, namespace, name, generation } = policy
    const selected = workloadsSelected(accounts.ofUnreadable(policy))
    return {
      kind,
      namespace,
      name,
      ...(generation === undefined ? {} : { generation }),
      conditions: closedConditions(kind, policy, gapsOf(policy)).map(condition =>
        condition.type === 'WorkloadsSelected' ? selected : condition
      )
    }
  })
}
