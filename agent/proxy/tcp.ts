import { create } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { type Filter, FilterSchema } from '../../shared/proto/gen/envoy/config/listener/v3/listener_components_pb.js'
import {
  UpstreamConnectMode as ConnectMode,
  TcpProxySchema
} from '../../shared/proto/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js'
import type { Direction } from './access-log.ts'
import { NEVER } from './duration.ts'

// What the peer may send while the application is being connected to; more waits in the peer.
const EARLY_BYTES = 65_536
const AFTER_HANDSHAKE = {
  upstreamConnectMode: ConnectMode.ON_DOWNSTREAM_TLS_HANDSHAKE,
  maxEarlyDataBytes: EARLY_BYTES
}

/**
 * The network filter that passes bytes between a connection and one to `cluster`, for as long as both like.
 * `attempts`: how often it is connected to; by default, where another endpoint may take it, three times.
 * `mutualTls`: the application is connected to only when the peer has proven itself; by default Envoy would not wait,
 * and whoever can reach the port could make the application open connections.
 */
export function tcpFilter(
  direction: Direction,
  cluster: string,
  options: { readonly mutualTls?: boolean; readonly attempts?: number } = {}
): Filter {
  const proxy = create(TcpProxySchema, {
    // Shared: what differs by service is told by the statistics of its cluster.
    statPrefix: direction,
    clusterSpecifier: { case: 'cluster', value: cluster },
    idleTimeout: NEVER,
    // Towards a service, another endpoint may take it; beside the application there is no other.
    maxConnectAttempts: options.attempts ?? (direction === 'outbound' ? 3 : 1),
    ...(options.mutualTls ? AFTER_HANDSHAKE : {})
  })
  return create(FilterSchema, {
    name: 'envoy.filters.network.tcp_proxy',
    configType: { case: 'typedConfig', value: anyPack(TcpProxySchema, proxy) }
  })
}
