import { create } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { type Endpoints, Protocol, type Service } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { TypedExtensionConfigSchema } from '../../shared/proto/gen/envoy/config/core/v3/extension_pb.js'
import {
  type Filter,
  type FilterChain,
  FilterChainSchema
} from '../../shared/proto/gen/envoy/config/listener/v3/listener_components_pb.js'
import { createResource, type Resource } from '../../shared/xds/index.ts'
import { originalDestinationCluster } from './cluster.ts'
import { FROM_AGENT } from './config-source.ts'
import { type Destination, destinationMatcher } from './destinations.ts'
import { type Families, wildcardsOf } from './families.ts'
import { outboundHttp } from './http.ts'
import { listener, ORIGINAL_DESTINATION } from './listener.ts'
import { memoize, memoizeKeyed, memoizePair } from './memoize.ts'
import { inOrder, type MeshState, type Services } from './mesh-state.ts'
import { directClusterName, NAMES, outboundClusterName, PORTS } from './names.ts'
import { singleRoute } from './route.ts'
import { distinctPorts, hasServer, NO_ENDPOINTS } from './service-cluster.ts'
import { tcpFilter } from './tcp.ts'

/** Whatever is no Service of the mesh: passed on to where it was going, as it is. */
export const passthroughCluster: Resource = originalDestinationCluster(NAMES.cluster.passthrough, 'same as downstream')

const IS_HTTP: ReadonlySet<Protocol> = new Set([Protocol.HTTP, Protocol.HTTP2])

/** Whether another endpoint may be tried: not where the client has chosen one itself. */
type Choice = 'any endpoint' | 'this endpoint'

const filterFor = (protocol: Protocol, cluster: string, choice: Choice): Filter =>
  IS_HTTP.has(protocol)
    ? outboundHttp({
        routes: { case: 'routeConfig', value: singleRoute(cluster, { retry: choice === 'any endpoint' }) }
      })
    : tcpFilter('outbound', cluster, choice === 'any endpoint' ? {} : { attempts: 1 })

/** A chain, and what it does: by reference, for the listener is sent anew when an endpoint comes or goes. */
interface Outlet {
  readonly chain: FilterChain
  readonly filter: Resource
}

/**
 * The chain has the name of its cluster, and the filter one that tells what is spoken as well: Envoy refuses another
 * kind of filter under a name that it has, and would then wait for the right one for ever.
 */
function outletTo(cluster: string, protocol: Protocol, choice: Choice): Outlet {
  const name = `${cluster}/${IS_HTTP.has(protocol) ? 'http' : 'tcp'}`
  const typedConfig = configOf(filterFor(protocol, cluster, choice))
  const reference = { configSource: FROM_AGENT, typeUrls: [typedConfig.typeUrl] }
  return {
    chain: create(FilterChainSchema, {
      name: cluster,
      filters: [{ name, configType: { case: 'configDiscovery', value: reference } }]
    }),
    filter: createResource(TypedExtensionConfigSchema, name, { name, typedConfig })
  }
}

function configOf({ name, configType }: Filter): Any {
  if (configType.case !== 'typedConfig') throw new TypeError(`filter ${name} has no configuration`)
  return configType.value
}

/**
 * The chains of a Service: for each port one for its own addresses, and one for those of its endpoints. They do not
 * depend on which addresses these are: a connection to a pod outlives the pod's being not ready.
 */
const outletsOf: (service: Service) => readonly Outlet[] = memoize(service => {
  const { namespace, name, addresses } = service
  return distinctPorts(service).flatMap(({ number, protocol }) => [
    ...(addresses.length > 0 ? [outletTo(outboundClusterName(namespace, name, number), protocol, 'any endpoint')] : []),
    ...(hasServer(service) ? [outletTo(directClusterName(namespace, name, number), protocol, 'this endpoint')] : [])
  ])
})

/** What the chains of the listener refer to. */
export const redirectOutboundFilters: (services: Services) => readonly Resource[] = memoize(services =>
  inOrder(services)
    .flatMap(outletsOf)
    .map(({ filter }) => filter)
)

/**
 * The address that a connection was going to says which Service is meant: what a request claims in its Host header
 * leads to no other.
 */
const serviceDestinations: (service: Service) => readonly Destination[] = memoize(service =>
  distinctPorts(service).flatMap(({ number }) => {
    const chain = outboundClusterName(service.namespace, service.name, number)
    return service.addresses.map(address => ({ address, port: number, chain }))
  })
)

/**
 * Endpoints that accept mutual TLS are spoken to with nothing less, whoever's choice they are: a headless Service's,
 * a pod called by its own name. When nobody may serve the Service, they are not spoken to at all.
 */
const endpointDestinations: (service: Service, endpoints: Endpoints) => readonly Destination[] = memoizePair(
  (service, endpoints) =>
    distinctPorts(service).flatMap(({ number }) => {
      const chain = hasServer(service) ? directClusterName(service.namespace, service.name, number) : BLACK_HOLE
      return endpoints.ports
        .filter(({ servicePort }) => servicePort === number)
        .flatMap(port => port.endpoints.filter(({ mutualTls }) => mutualTls))
        .map(({ address, port }) => ({ address, port, chain }))
    })
)

const BLACK_HOLE = 'black-hole'

/** Connections that came to the port itself; redirected to where they were going, they would come back for ever. */
export const blackHole = (port: number, name = BLACK_HOLE): FilterChain =>
  create(FilterChainSchema, { name, filterChainMatch: { destinationPort: port }, filters: [] })

/** What the listener follows from, but for the families. */
const partsOf = memoizePair((services: Services, endpoints: MeshState['endpoints']) => ({ services, endpoints }))

const listenerFrom = memoizeKeyed(({ services, endpoints }: ReturnType<typeof partsOf>, families: Families) => {
  const all = inOrder(services)
  return listener(NAMES.listener.outbound, 'outbound', wildcardsOf(families), PORTS.outbound, {
    listenerFilters: [ORIGINAL_DESTINATION],
    filterChains: [
      create(FilterChainSchema, { name: BLACK_HOLE }),
      ...all.flatMap(outletsOf).map(({ chain }) => chain)
    ],
    filterChainMatcher: destinationMatcher(new Map([[PORTS.outbound, BLACK_HOLE]]), [
      // Of Services that claim one address, the first has it; and no endpoint takes the address of a Service.
      ...all.flatMap(serviceDestinations),
      ...all.flatMap(service =>
        endpointDestinations(service, endpoints.get(`${service.namespace}/${service.name}`) ?? NO_ENDPOINTS)
      )
    ]),
    defaultFilterChain: create(FilterChainSchema, {
      name: 'passthrough',
      filters: [tcpFilter('outbound', NAMES.cluster.passthrough)]
    })
  })
})

/** The listener of all outgoing connections: the same bytes for every pod of a node that has the same families. */
export const redirectOutboundListener = (
  { services, endpoints }: Pick<MeshState, 'services' | 'endpoints'>,
  families: Families
): Resource => listenerFrom(partsOf(services, endpoints), families)
