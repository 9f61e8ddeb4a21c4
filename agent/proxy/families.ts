import { create } from '@bufbuild/protobuf'
import { DELIVERY_SOURCE } from '../../shared/bootstrap/index.ts'
import type { Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  type BindConfig,
  BindConfigSchema,
  ExtraSourceAddressSchema
} from '../../shared/proto/gen/envoy/config/core/v3/address_pb.js'
import { anyPortOf, type Family, familyOf } from './address.ts'

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

/** How the proxy connects to an address of its pod: from an address that capture lets through, and nobody trusts. */
export const deliveryBindTo = (address: string): BindConfig => bindTo([familyOf(address)])

/** How it connects to the application, at an address of any of the pod's families. */
export const deliveryBindOf = (families: Families): BindConfig => bindTo(MEMBERS[families])

function bindTo([first = 'ipv4', ...others]: readonly Family[]): BindConfig {
  return create(BindConfigSchema, {
    sourceAddress: anyPortOf(DELIVERY_SOURCE[first]),
    extraSourceAddresses: others.map(family =>
      create(ExtraSourceAddressSchema, { address: anyPortOf(DELIVERY_SOURCE[family]) })
    ),
    // No interface has these addresses, and IPv6 refuses to bind to such a one otherwise.
    freebind: true
  })
}
