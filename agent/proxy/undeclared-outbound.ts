import { create } from '@bufbuild/protobuf'
import type { Any } from '@bufbuild/protobuf/wkt'
import { Cluster_DiscoveryType as Type } from '../../shared/proto/gen/envoy/config/cluster/v3/cluster_pb.js'
import { TransportSocketSchema } from '../../shared/proto/gen/envoy/config/core/v3/base_pb.js'
import { ClusterLoadAssignmentSchema } from '../../shared/proto/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import {
  type FilterChain,
  FilterChainSchema,
  FilterSchema
} from '../../shared/proto/gen/envoy/config/listener/v3/listener_components_pb.js'
import { type Resource, typedStruct } from '../../shared/xds/index.ts'
import { cluster } from './cluster.ts'
import { type Destination, destinationMatcher, leadByProtocol } from './destinations.ts'
import { HTTP_INSPECTOR, internalListener, ORIGINAL_DESTINATION } from './listener.ts'
import { NAMES } from './names.ts'
import { tcpFilter } from './tcp.ts'

// Connections to ports that declare nothing take a way around, over a listener within the proxy, because listener
// filters cannot differ by port: on the listener of all connections an inspector would keep waiting every server that
// speaks first.

/** The name of the chain that leads them there. */
export const UNDECLARED = 'undeclared'

// What the filter original_dst of an internal listener reads, and nobody after it: pools of connections to Services are
// shared by clients. The client's own address is for the log, and keeps connections to the listener apart.
const TOLD: Readonly<Record<string, string>> = {
  'envoy.filters.listener.original_dst.local_ip': '%DOWNSTREAM_LOCAL_ADDRESS%',
  'envoy.filters.listener.original_dst.remote_ip': '%DOWNSTREAM_REMOTE_ADDRESS%'
}

const tellWhereTo: Any = typedStruct('envoy.extensions.filters.network.set_filter_state.v3.Config', {
  onNewConnection: Object.entries(TOLD).map(([objectKey, inlineString]) => ({
    objectKey,
    formatString: { textFormatSource: { inlineString } },
    sharedWithUpstream: 'ONCE'
  }))
})

/** Hands a connection over, with where it was going. Never changes, so it closes nothing. */
export const undeclaredChain: FilterChain = create(FilterChainSchema, {
  name: UNDECLARED,
  filters: [
    create(FilterSchema, {
      name: 'envoy.filters.network.set_filter_state',
      configType: { case: 'typedConfig', value: tellWhereTo }
    }),
    tcpFilter('outbound', NAMES.cluster.undeclared, { attempts: 1 })
  ]
})

const rawBuffer = 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer'

/** The listener below, as the chain above reaches it. */
export const undeclaredCluster: Resource = cluster(
  NAMES.cluster.undeclared,
  { http: 'same as downstream', idleMs: 1_000 },
  {
    clusterDiscoveryType: { case: 'type', value: Type.STATIC },
    loadAssignment: create(ClusterLoadAssignmentSchema, {
      clusterName: NAMES.cluster.undeclared,
      endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: { address: internalAddress() } } }] }]
    }),
    transportSocket: create(TransportSocketSchema, {
      name: 'envoy.transport_sockets.internal_upstream',
      configType: {
        case: 'typedConfig',
        value: typedStruct('envoy.extensions.transport_sockets.internal_upstream.v3.InternalUpstreamTransport', {
          transportSocket: {
            name: 'envoy.transport_sockets.raw_buffer',
            typedConfig: { '@type': `type.googleapis.com/${rawBuffer}` }
          }
        })
      }
    })
  }
)

function internalAddress() {
  const addressNameSpecifier = { case: 'serverListenerName' as const, value: NAMES.listener.undeclared }
  return { address: { case: 'envoyInternalAddress' as const, value: { addressNameSpecifier } } }
}

// HTTP/1.0 may lack a Host header, which the codec asks for; as bytes it arrives as it is.
const FOUND = ['http/1.1', 'h2c']

/** The names of a destination's chains: where HTTP was found, and where it was not. */
export const foundChains = (name: string): { readonly http: string; readonly tcp: string } => ({
  http: `${name}/http`,
  tcp: `${name}/tcp`
})

/**
 * The listener that looks for HTTP, in the clear, by the first bytes. `destinations` have the names before
 * `foundChains`; `otherwise` is for connections that are handed over while chains are on their way.
 */
export const undeclaredListener = (
  filterChains: readonly FilterChain[],
  wholePorts: ReadonlyMap<number, string>,
  destinations: Iterable<Destination>,
  otherwise: FilterChain
): Resource =>
  internalListener(NAMES.listener.undeclared, 'outbound', {
    listenerFilters: [ORIGINAL_DESTINATION, HTTP_INSPECTOR],
    filterChains: [...filterChains],
    filterChainMatcher: destinationMatcher(wholePorts, destinations, name => {
      const { http, tcp } = foundChains(name)
      return leadByProtocol(FOUND, http, tcp)
    }),
    defaultFilterChain: otherwise
  })
