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
import { foundChains, UNDECLARED, undeclaredChain, undeclaredListener } from './undeclared-outbound.ts'

/** Whatever is no Service of the mesh: passed on to where it was going, as it is. */
export const passthroughCluster: Resource = originalDestinationCluster(NAMES.cluster.passthrough, 'same as downstream')

/** What a client may speak to a port: what was declared, or either of both by its first bytes. */
type Speech = 'http' | 'tcp'

const SPEECHES: Readonly<Record<Protocol, Speech | undefined>> = {
  [Protocol.UNSPECIFIED]: undefined,
  [Protocol.TCP]: 'tcp',
  [Protocol.HTTP]: 'http',
  [Protocol.HTTP2]: 'http',
  [Protocol.TLS]: 'tcp'
}

/** Whether another endpoint may be tried: not where the client has chosen one itself. */
type Choice = 'any endpoint' | 'this endpoint'

const filterFor = (speech: Speech, cluster: string, choice: Choice): Filter =>
  speech === 'http'
    ? outboundHttp({
        routes: { case: 'routeConfig', value: singleRoute(cluster, { retry: choice === 'any endpoint' }) }
      })
    : tcpFilter('outbound', cluster, choice === 'any endpoint' ? {} : { attempts: 1 })

/** A chain, and what it does: by reference, for the listener is sent anew when an endpoint comes or goes. */
interface Outlet {
  readonly listener: 'outbound' | 'undeclared'
  readonly chain: FilterChain
  readonly filter: Resource
}

/** Where nothing was declared there are two, beside each other, and what a connection holds decides. */
function outletsTo(cluster: string, protocol: Protocol, choice: Choice): readonly Outlet[] {
  // proto3 enums are open: a value that is not known here is one that a newer authority knows.
  const speech = SPEECHES[protocol]
  if (speech !== undefined) return [{ listener: 'outbound', ...outletTo(cluster, cluster, speech, choice) }]
  const { http, tcp } = foundChains(cluster)
  return [
    { listener: 'undeclared', ...outletTo(http, cluster, 'http', choice) },
    { listener: 'undeclared', ...outletTo(tcp, cluster, 'tcp', choice) }
  ]
}

/**
 * The filter has a name that tells the cluster and what is spoken: Envoy refuses another kind of filter under a name
 * that it has, and would then wait for the right one for ever.
 */
function outletTo(chain: string, cluster: string, speech: Speech, choice: Choice): Omit<Outlet, 'listener'> {
  const name = `${cluster}/${speech}`
  const typedConfig = configOf(filterFor(speech, cluster, choice))
  const reference = { configSource: FROM_AGENT, typeUrls: [typedConfig.typeUrl] }
  return {
    chain: create(FilterChainSchema, {
      name: chain,
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
 * The chains of a Service: for each port those for its own addresses, and those for its endpoints'. They do not
 * depend on which addresses these are: a connection to a pod outlives the pod's being not ready.
 */
const outletsOf: (service: Service) => readonly Outlet[] = memoize(service => {
  const { namespace, name, addresses } = service
  return distinctPorts(service).flatMap(({ number, protocol }) => [
    ...(addresses.length > 0 ? outletsTo(outboundClusterName(namespace, name, number), protocol, 'any endpoint') : []),
    ...(hasServer(service) ? outletsTo(directClusterName(namespace, name, number), protocol, 'this endpoint') : [])
  ])
})

/** What the chains of the listeners refer to. */
export const redirectOutboundFilters: (services: Services) => readonly Resource[] = memoize(services =>
  inOrder(services)
    .flatMap(outletsOf)
    .map(({ filter }) => filter)
)

/** `declared`: it says what is spoken there; if not, `chain` is what the names of its two chains start with. */
interface ServiceDestination extends Destination {
  readonly declared: boolean
}

const isDeclared = (protocol: Protocol): boolean => SPEECHES[protocol] !== undefined

/**
 * The address that a connection was going to says which Service is meant: what a request claims in its Host header
 * leads to no other.
 */
const serviceDestinations: (service: Service) => readonly ServiceDestination[] = memoize(service =>
  distinctPorts(service).flatMap(({ number, protocol }) => {
    const chain = outboundClusterName(service.namespace, service.name, number)
    return service.addresses.map(address => ({ address, port: number, chain, declared: isDeclared(protocol) }))
  })
)

/**
 * Endpoints that accept mutual TLS are spoken to with nothing less, whoever's choice they are: a headless Service's,
 * a pod called by its own name, ready or not. When nobody may serve the Service, they are not spoken to at all. Sorted:
 * what becomes ready, or no longer is, changes nothing here.
 */
const endpointDestinations: (service: Service, endpoints: Endpoints) => readonly ServiceDestination[] = memoizePair(
  (service, endpoints) =>
    distinctPorts(service).flatMap(({ number, protocol }) => {
      const declared = isDeclared(protocol) || !hasServer(service)
      const chain = hasServer(service) ? directClusterName(service.namespace, service.name, number) : BLACK_HOLE
      return endpoints.ports
        .filter(({ servicePort }) => servicePort === number)
        .flatMap(port => [...port.endpoints, ...port.unready].filter(({ mutualTls }) => mutualTls))
        .map(({ address, port }) => ({ address, port, chain, declared }))
        .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port))
    })
)

/** What DNS leads clients of a headless Service to, and is not to be trusted. */
const forbiddenDestinations: (endpoints: Endpoints) => readonly ServiceDestination[] = memoize(({ ports }) =>
  ports.flatMap(({ untrusted }) =>
    untrusted.map(({ address, port }) => ({ address, port, chain: BLACK_HOLE, declared: true }))
  )
)

const BLACK_HOLE = 'black-hole'

/** Connections that came to the port itself; redirected to where they were going, they would come back for ever. */
export const blackHole = (port: number, name = BLACK_HOLE): FilterChain =>
  create(FilterChainSchema, { name, filterChainMatch: { destinationPort: port }, filters: [] })

const PASSTHROUGH: FilterChain = create(FilterChainSchema, {
  name: 'passthrough',
  filters: [tcpFilter('outbound', NAMES.cluster.passthrough)]
})

const CLOSED: FilterChain = create(FilterChainSchema, { name: BLACK_HOLE })
const OWN_PORT: ReadonlyMap<number, string> = new Map([[PORTS.outbound, BLACK_HOLE]])

/** What the listeners follow from, but for the families. */
const partsOf = memoizePair((services: Services, endpoints: MeshState['endpoints']) => {
  const all = inOrder(services)
  const outlets = all.flatMap(outletsOf)
  return {
    chainsOf: (listener: Outlet['listener']): readonly FilterChain[] =>
      outlets.filter(outlet => outlet.listener === listener).map(({ chain }) => chain),
    destinations: [
      // Of Services that claim one address, the first has it; and no endpoint takes the address of a Service.
      ...all.flatMap(serviceDestinations),
      ...all.flatMap(service =>
        endpointDestinations(service, endpoints.get(`${service.namespace}/${service.name}`) ?? NO_ENDPOINTS)
      ),
      // Last: it may stand behind another Service, which trusts it.
      ...all.flatMap(({ namespace, name }) =>
        forbiddenDestinations(endpoints.get(`${namespace}/${name}`) ?? NO_ENDPOINTS)
      )
    ]
  }
})

const listenerFrom = memoizeKeyed(({ chainsOf, destinations }: ReturnType<typeof partsOf>, families: Families) =>
  listener(NAMES.listener.outbound, 'outbound', wildcardsOf(families), PORTS.outbound, {
    listenerFilters: [ORIGINAL_DESTINATION],
    filterChains: [CLOSED, undeclaredChain, ...chainsOf('outbound')],
    filterChainMatcher: destinationMatcher(
      OWN_PORT,
      destinations.map(destination => (destination.declared ? destination : { ...destination, chain: UNDECLARED }))
    ),
    defaultFilterChain: PASSTHROUGH
  })
)

const undeclaredFrom = memoize(({ chainsOf, destinations }: ReturnType<typeof partsOf>) =>
  undeclaredListener(
    [CLOSED, ...chainsOf('undeclared')],
    // As above, though none of its connections come here: Envoy refuses a matcher of nothing.
    OWN_PORT,
    destinations.filter(({ declared }) => !declared),
    PASSTHROUGH
  )
)

/** The listener of all outgoing connections: the same bytes for every pod of a node that has the same families. */
export const redirectOutboundListener = (
  { services, endpoints }: Pick<MeshState, 'services' | 'endpoints'>,
  families: Families
): Resource => listenerFrom(partsOf(services, endpoints), families)

/** The listener behind it, for ports that declare nothing: the same bytes for every pod of a node. */
export const undeclaredOutboundListener = ({
  services,
  endpoints
}: Pick<MeshState, 'services' | 'endpoints'>): Resource => undeclaredFrom(partsOf(services, endpoints))
