import { create } from '@bufbuild/protobuf'
import { Protocol, type Service } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  type FilterChain,
  FilterChainSchema
} from '../../shared/proto/gen/envoy/config/listener/v3/listener_components_pb.js'
import type { Resource } from '../../shared/xds/index.ts'
import { hostRange } from './address.ts'
import { originalDestinationCluster } from './cluster.ts'
import { type Families, wildcardsOf } from './families.ts'
import { outboundHttp } from './http.ts'
import { listener, ORIGINAL_DESTINATION } from './listener.ts'
import { memoize, memoizeKeyed } from './memoize.ts'
import { inOrder, type Services } from './mesh-state.ts'
import { NAMES, outboundClusterName, PORTS } from './names.ts'
import { singleRoute } from './route.ts'
import { distinctPorts } from './service-cluster.ts'
import { tcpFilter } from './tcp.ts'

/** Whatever is no Service of the mesh: passed on to where it was going, as it is. */
export const passthroughCluster: Resource = originalDestinationCluster(NAMES.cluster.passthrough, 'same as downstream')

const IS_HTTP: ReadonlySet<Protocol> = new Set([Protocol.HTTP, Protocol.HTTP2])

/**
 * The chains of a Service, one for each of its addresses and ports. The address that a connection was going to says
 * which Service is meant: what a request claims in its Host header leads to no other.
 */
const serviceChains: (service: Service) => readonly FilterChain[] = memoize(service =>
  distinctPorts(service).flatMap(({ number, protocol }) => {
    const cluster = outboundClusterName(service.namespace, service.name, number)
    const filter = IS_HTTP.has(protocol)
      ? outboundHttp({ routes: { case: 'routeConfig', value: singleRoute(cluster, { retry: true }) } })
      : tcpFilter('outbound', cluster)
    return service.addresses.map(address =>
      create(FilterChainSchema, {
        name: `${address}/${number}/${service.namespace}/${service.name}`,
        filterChainMatch: { destinationPort: number, prefixRanges: [hostRange(address)] },
        filters: [filter]
      })
    )
  })
)

/** Connections that came to the port itself; redirected to where they were going, they would come back for ever. */
export const blackHole = (port: number): FilterChain =>
  create(FilterChainSchema, { name: 'black-hole', filterChainMatch: { destinationPort: port }, filters: [] })

/** The listener of all outgoing connections: the same bytes for every pod of a node that has the same families. */
export const redirectOutboundListener: (services: Services, families: Families) => Resource = memoizeKeyed(
  (services, families) =>
    listener(NAMES.listener.outbound, 'outbound', wildcardsOf(families), PORTS.outbound, {
      listenerFilters: [ORIGINAL_DESTINATION],
      filterChains: [blackHole(PORTS.outbound), ...distinctMatches(inOrder(services).flatMap(serviceChains))],
      defaultFilterChain: create(FilterChainSchema, {
        name: 'passthrough',
        filters: [tcpFilter('outbound', NAMES.cluster.passthrough)]
      })
    })
)

/** Envoy refuses a listener in which two chains match the same; of Services that claim one address, the first has it. */
function distinctMatches(chains: readonly FilterChain[]): FilterChain[] {
  const byMatch = new Map<string, FilterChain>()
  for (const chain of chains) {
    const { destinationPort, prefixRanges } = chain.filterChainMatch ?? {}
    const key = `${prefixRanges?.[0]?.addressPrefix} ${destinationPort}`
    if (!byMatch.has(key) && destinationPort !== PORTS.outbound) byMatch.set(key, chain)
  }
  return [...byMatch.values()]
}
