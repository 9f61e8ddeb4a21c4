import { isIP } from 'node:net'
import * as z from 'zod'
import { canonicalAddress } from './address.ts'
import {
  dnsLabelOrEmpty,
  flag,
  list,
  mapping,
  optional,
  optionalList,
  portNumber,
  text,
  transport,
  uid
} from './field.ts'
import { type Issue, issuesOf, type Normalised, show } from './issue.ts'
import { metadata } from './metadata.ts'
import type { Transport } from './types.ts'

/** A discovery.k8s.io/v1 EndpointSlice: a part of the places behind one Service. */
export interface EndpointSlice {
  readonly namespace: string
  readonly name: string
  /** The Service that it belongs to, in its namespace. */
  readonly service: string
  readonly endpoints: readonly SliceEndpoint[]
  /** By name, which is that of the Service's port; a port without a number means every port and is not kept. */
  readonly ports: readonly { readonly name: string; readonly number: number; readonly protocol: Transport }[]
}

export interface SliceEndpoint {
  readonly address: string
  readonly ready: boolean
  readonly terminating: boolean
  /** The pod that the slice says is at that address: by name, UID and namespace, as far as it says. */
  readonly pod?: { readonly name?: string; readonly uid?: string; readonly namespace?: string }
}

const SERVICE_NAME = 'kubernetes.io/service-name'
const ADDRESS_TYPES = ['IPv4', 'IPv6', 'FQDN'] as const

const schema = mapping({
  metadata,
  addressType: z.enum(ADDRESS_TYPES, { error: ADDRESS_TYPES.join(', ') }),
  endpoints: optionalList(
    mapping({
      addresses: list(text).min(1, { error: 'at least one address' }),
      conditions: optional(mapping({ ready: optional(flag), terminating: optional(flag) })),
      targetRef: optional(
        mapping({ kind: optional(text), namespace: optional(text), name: optional(text), uid: optional(uid) })
      )
    })
  ),
  ports: optionalList(
    mapping({
      name: optional(dnsLabelOrEmpty),
      port: optional(portNumber),
      protocol: transport
    })
  )
})
type Parsed = z.output<typeof schema>

/** Host names instead of addresses have no value: a proxy could not connect to them without resolving them. */
export function endpointSliceFromManifest(object: unknown): Normalised<EndpointSlice> {
  const parsed = schema.safeParse(object)
  if (!parsed.success) return { value: undefined, issues: issuesOf(parsed.error, object) }
  const { metadata, addressType, endpoints, ports } = parsed.data
  const service = metadata.labels[SERVICE_NAME]
  const issues = [...checkService(service), ...checkAddresses(addressType, endpoints)]
  if (service === undefined || issues.length > 0) return { value: undefined, issues }
  const slice: EndpointSlice = Object.freeze({
    namespace: metadata.namespace,
    name: metadata.name,
    service,
    endpoints: Object.freeze(endpoints.map(endpointOf)),
    ports: Object.freeze(
      ports.flatMap(({ name, port, protocol }) =>
        port === undefined ? [] : [Object.freeze({ name: name ?? '', number: port, protocol })]
      )
    )
  })
  return { value: slice, issues: [] }
}

function endpointOf({ addresses, conditions, targetRef }: Parsed['endpoints'][number]): SliceEndpoint {
  const pod = podOf(targetRef)
  return Object.freeze({
    // discovery.k8s.io/v1: nothing but the first address has a meaning.
    address: canonicalAddress(addresses[0] as string) as string,
    // discovery.k8s.io/v1: an unknown condition is to be read as ready.
    ready: conditions?.ready ?? true,
    terminating: conditions?.terminating ?? false,
    ...(pod === undefined ? {} : { pod })
  })
}

function podOf(targetRef: Parsed['endpoints'][number]['targetRef']): SliceEndpoint['pod'] {
  const { kind, name, uid, namespace } = targetRef ?? {}
  if (kind !== 'Pod' || (name === undefined && uid === undefined)) return undefined
  return Object.freeze({
    ...(name === undefined ? {} : { name }),
    ...(uid === undefined ? {} : { uid }),
    ...(namespace === undefined ? {} : { namespace })
  })
}

function checkService(service: string | undefined): readonly Issue[] {
  if (service !== undefined && service !== '') return []
  const message = 'required: expected the name of the Service that the endpoints belong to'
  return [{ path: ['metadata', 'labels', SERVICE_NAME], message }]
}

const FAMILIES = { IPv4: 4, IPv6: 6, FQDN: undefined } as const

function checkAddresses(type: Parsed['addressType'], endpoints: Parsed['endpoints']): readonly Issue[] {
  const family = FAMILIES[type]
  if (family === undefined) return [{ path: ['addressType'], message: `expected IPv4 or IPv6, got ${show(type)}` }]
  return endpoints.flatMap(({ addresses }, index) =>
    isIP(canonicalAddress(addresses[0] ?? '') ?? '') === family
      ? []
      : [
          {
            path: ['endpoints', index, 'addresses', 0],
            message: `expected an ${type} address, got ${show(addresses[0])}`
          }
        ]
  )
}
