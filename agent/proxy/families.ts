import type { Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { type Family, familyOf } from './address.ts'

/** The address families of a pod, which do not change while it lives. IPv6 may be missing from a node's kernel. */
export type Families = 'ipv4' | 'ipv6' | 'dual'

export function familiesOf(workload: Workload): Families {
  const families = new Set(workload.addresses.map(familyOf))
  return families.size === 2 ? 'dual' : (families.values().next().value ?? 'ipv4')
}

const MEMBERS: Readonly<Record<Families, readonly Family[]>> = {
  ipv4: ['ipv4'],
  ipv6: ['ipv6'],
  dual: ['ipv4', 'ipv6']
}

const WILDCARD: Readonly<Record<Family, string>> = { ipv4: '0.0.0.0', ipv6: '::' }

/** Every address of the pod: redirection changes destinations to whichever is the interface's. */
export const wildcardsOf = (families: Families): readonly string[] => MEMBERS[families].map(family => WILDCARD[family])

// What capture lets through untouched: deliveries to the pod's own applications.
const DELIVERY_SOURCE: Readonly<Record<Family, string>> = { ipv4: '127.0.0.6', ipv6: '::6' }

/** The source address of deliveries to an address of the pod. */
export const deliverySourceTo = (address: string): string => DELIVERY_SOURCE[familyOf(address)]

/** The source addresses of deliveries to the application, one for each family. */
export const deliverySourcesOf = (families: Families): readonly string[] =>
  MEMBERS[families].map(family => DELIVERY_SOURCE[family])
