import { isDnsLabel, isDnsSubdomain } from './field.ts'
import { type Issue, show } from './issue.ts'

/** The annotation of a Service that pins who may serve it. */
export const PINNED_ACCOUNTS = 'countersign.dev/service-accounts'

/**
 * Parses a list such as `orders, billing/orders` into `<namespace>/<account>`, sorted and without repetition.
 *
 * An entry that names nobody is left out and reported. It never widens the set: a list of nothing but mistakes pins
 * the Service to nobody, as does an empty one.
 */
export function parsePinnedAccounts(
  value: string,
  namespace: string
): { readonly accounts: readonly string[]; readonly issues: readonly Issue[] } {
  if (value.trim() === '') return { accounts: Object.freeze([]), issues: [] }
  const accounts = new Set<string>()
  const issues: Issue[] = []
  for (const entry of value.split(',').map(part => part.trim())) {
    const [account, accountNamespace, ...rest] = entry.split('/').reverse() as [string, ...string[]]
    if (rest.length === 0 && isDnsSubdomain(account) && isDnsLabel(accountNamespace ?? namespace))
      accounts.add(`${accountNamespace ?? namespace}/${account}`)
    else
      issues.push({
        path: ['metadata', 'annotations', PINNED_ACCOUNTS],
        message: `expected the name of a service account, or <namespace>/<account>, got ${show(entry)}`
      })
  }
  return { accounts: Object.freeze([...accounts].sort()), issues }
}
