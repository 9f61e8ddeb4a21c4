import type { Inventory } from '../../shared/inventory/index.ts'
import type { UnreadablePolicy } from '../../shared/policy/index.ts'
import type { Condition, PolicyKind, ObjectStatus } from './policy-status.ts'
import { invalidConditions, workloadsSelected } from './policy-statuses.ts'
import { SelectedAccounts } from './selected-accounts.ts'

/** The reason by which programs know that what a policy selects is closed. */
export const INVALID_CLOSED = 'InvalidClosed'

const CLOSED: Readonly<Record<PolicyKind, string>> = {
  PeerAuthentication: 'accept mutual TLS alone (STRICT) on every port',
  RequestAuthentication: 'refuse every request with 401',
  EndUserAuthentication: 'refuse every request with 401'
}

/** What is to be said of a policy that cannot be understood: it may have come past the webhook, or be of a newer version. */
export function closedConditions(kind: PolicyKind, { issues }: Pick<UnreadablePolicy, 'issues'>): readonly Condition[] {
  const message = `${issues.join('; ')}. Until the policy is corrected or deleted, the workloads that it selects ${CLOSED[kind]}`
  return invalidConditions(kind, message).map(condition => ({ ...condition, reason: INVALID_CLOSED }))
}

/** What is to be said of every policy that cannot be understood. Equal inputs give equal statuses, in every replica. */
export function unreadableStatuses(
  inventory: Pick<Inventory, 'pods' | 'unreadablePolicies'>,
  rootNamespace: string
): readonly ObjectStatus[] {
  if (inventory.unreadablePolicies.length === 0) return []
  const accounts = new SelectedAccounts(inventory, rootNamespace)
  return inventory.unreadablePolicies.map(policy => {
    const { kind, namespace, name, generation } = policy
    const selected = workloadsSelected(accounts.ofUnreadable(policy))
    return {
      kind,
      namespace,
      name,
      ...(generation === undefined ? {} : { generation }),
      conditions: closedConditions(kind, policy).map(condition =>
        condition.type === 'WorkloadsSelected' ? selected : condition
      )
    }
  })
}
