import { isDeepStrictEqual } from 'node:util'
import type { Inventory } from './types.ts'

type Lists = { readonly [Kind in keyof Inventory]: Inventory[Kind] }

/** An inventory of nothing. */
export const EMPTY_INVENTORY: Inventory = Object.freeze({
  namespaces: Object.freeze([]),
  serviceAccounts: Object.freeze([]),
  pods: Object.freeze([]),
  services: Object.freeze([]),
  endpoints: Object.freeze([]),
  peerAuthentications: Object.freeze([]),
  requestAuthentications: Object.freeze([]),
  endUserAuthentications: Object.freeze([]),
  unreadablePolicies: Object.freeze([])
})

/**
 * The next inventory: sorted, frozen, and made of the objects of the previous one wherever they are equal. When
 * nothing changed, it is the previous one itself.
 */
export function assembleInventory(previous: Inventory, next: Lists): Inventory {
  const inventory: Inventory = {
    namespaces: keep(previous.namespaces, next.namespaces, ({ name }) => name),
    serviceAccounts: keep(previous.serviceAccounts, next.serviceAccounts, keyOf),
    pods: keep(previous.pods, next.pods, keyOf),
    services: keep(previous.services, next.services, keyOf),
    endpoints: keep(previous.endpoints, next.endpoints, ({ namespace, service }) => `${namespace}/${service}`),
    peerAuthentications: keep(previous.peerAuthentications, next.peerAuthentications, keyOf),
    requestAuthentications: keep(previous.requestAuthentications, next.requestAuthentications, keyOf),
    endUserAuthentications: keep(previous.endUserAuthentications, next.endUserAuthentications, keyOf),
    unreadablePolicies: keep(
      previous.unreadablePolicies,
      next.unreadablePolicies,
      policy => `${policy.kind} ${keyOf(policy)}`
    )
  }
  const kinds = Object.keys(inventory) as (keyof Inventory)[]
  return kinds.every(kind => inventory[kind] === previous[kind]) ? previous : Object.freeze(inventory)
}

/** How many there are of each kind, for logs. */
export function sizesOf({ namespaces, pods, services, ...rest }: Inventory): Readonly<Record<string, number>> {
  return {
    namespaces: namespaces.length,
    pods: pods.length,
    services: services.length,
    peerAuthentications: rest.peerAuthentications.length,
    requestAuthentications: rest.requestAuthentications.length,
    endUserAuthentications: rest.endUserAuthentications.length,
    unreadablePolicies: rest.unreadablePolicies.length
  }
}

const keyOf = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `${namespace}/${name}`

function keep<T>(previous: readonly T[], next: readonly T[], key: (object: T) => string): readonly T[] {
  const known = new Map(previous.map(object => [key(object), object]))
  const kept = next.map((object): [string, T] => {
    const name = key(object)
    const old = known.get(name)
    return [name, old !== undefined && (old === object || isDeepStrictEqual(old, object)) ? old : object]
  })
  const sorted = kept.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, object]) => object)
  const same = sorted.length === previous.length && sorted.every((object, index) => object === previous[index])
  return same ? previous : Object.freeze(sorted)
}
