import { create } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import {
  type Endpoint,
  type Endpoints,
  Protocol,
  type Service
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
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
import { directKindOf, directsOf } from './direct.ts'
import { type Families, wildcardsOf } from './families.ts'
import { outboundHttp } from './http.ts'
import { listener, ORIGINAL_DESTINATION } from './listener.ts'
import { memoize, memoizeKeyed, memoizePair } from './memoize.ts'
import { inOrder, type MeshState, type Services } from './mesh-state.ts'
import { directClusterName, NAMES, outboundClusterName, PORTS } from './names.ts'
import { singleRoute } from './route.ts'
import { distinctPorts, NO_ENDPOINTS } from './service-cluster.ts'
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

/** The chains of a Service for its own addresses. They do not depend on which addresses these are. */
const serviceOutletsOf: (service: Service) => readonly Outlet[] = memoize(service => {
  const { namespace, name, addresses } = service
  if (addresses.length === 0) return []
  return distinctPorts(service).flatMap(({ number, protocol }) =>
    outletsTo(outboundClusterName(namespace, name, number), protocol, 'any endpoint')
  )
})

/** The chains for the addresses of the pods behind a Service. A connection to a pod outlives its being not ready. */
const directOutletsOf: (service: Service) => readonly Outlet[] = memoize(service =>
  directsOf(service).flatMap(({ name, protocol }) => outletsTo(name, protocol, 'this endpoint'))
)

const outletsOf: (services: Services) => readonly Outlet[] = memoize(services => {
  const outlets = inOrder(services).flatMap(service => [...serviceOutletsOf(service), ...directOutletsOf(service)])
  return [...new Map(outlets.map(outlet => [outlet.chain.name, outlet])).values()]
})

/** What the chains of the listeners refer to. */
export const redirectOutboundFilters: (services: Services) => readonly Resource[] = memoize(services =>
  outletsOf(services).map(({ filter }) => filter)
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

/** Whether a Service says whom to expect at the address of an endpoint. Of an endpoint in plaintext there is nothing. */
const isOwn = (service: Service, { mutualTls, identity }: Endpoint): boolean =>
  mutualTls && service.podIdentities.includes(identity)

/**
 * Whether connections to the address of an endpoint are closed: it accepts mutual TLS, and who has to be there is not
 * said, as by an older authority, or contradicts the Service. The Service of another namespace than the pod's says
 * nothing about the address and closes nothing.
 */
const isUnproven = (service: Service, { mutualTls, identity, foreign }: Endpoint): boolean =>
  mutualTls && !foreign && !service.podIdentities.includes(identity)

/**
 * Pods that accept mutual TLS are spoken to with nothing less, and with their own identity alone, by whatever name a
 * client found their address: that of a headless Service, or of the pod, ready or not. Sorted: what becomes ready, or no
 * longer is, changes nothing here.
 */
const endpointDestinations: (service: Service, endpoints: Endpoints) => readonly ServiceDestination[] = memoizePair(
  (service, endpoints) =>
    distinctPorts(service).flatMap(({ number, protocol }) => {
      const kind = directKindOf(protocol)
      return endpoints.ports
        .filter(({ servicePort }) => servicePort === number)
        .flatMap(port => [...port.endpoints, ...port.unready].filter(endpoint => isOwn(service, endpoint)))
        .map(({ address, port, identity }) => ({
          address,
          port,
          chain: directClusterName(identity, kind),
          declared: isDeclared(protocol)
        }))
        .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port))
    })
)

/** What DNS leads clients of a headless Service to and is not to be trusted, and what proves no identity. */
const closedDestinations: (service: Service, endpoints: Endpoints) => readonly ServiceDestination[] = memoizePair(
  (service, { ports }) =>
    ports.flatMap(port => {
      const unproven = [...port.endpoints, ...port.unready].filter(endpoint => isUnproven(service, endpoint))
      return [...unproven, ...port.untrusted]
        .map(({ address, port }) => ({ address, port, chain: BLACK_HOLE, declared: true }))
        .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port))
    })
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
  const outlets = outletsOf(services)
  const endpointsOf = ({ namespace, name }: Service): Endpoints => endpoints.get(`${namespace}/${name}`) ?? NO_ENDPOINTS
  return {
    chainsOf: (listener: Outlet['listener']): readonly FilterChain[] =>
      outlets.filter(outlet => outlet.listener === listener).map(({ chain }) => chain),
    destinations: [
      // Of Services that claim one address, the first has it; and no endpoint takes the address of a Service.
      ...all.flatMap(serviceDestinations),
      ...all.flatMap(service => endpointDestinations(service, endpointsOf(service))),
      // Last: it may stand behind another Service, which trusts it.
      ...all.flatMap(service => closedDestinations(service, endpointsOf(service)))
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
