import { create } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { TrafficDirection } from '../../shared/proto/gen/envoy/config/core/v3/base_pb.js'
import {
  type ListenerFilter,
  ListenerFilterSchema
} from '../../shared/proto/gen/envoy/config/listener/v3/listener_components_pb.js'
import { type Listener, ListenerSchema } from '../../shared/proto/gen/envoy/config/listener/v3/listener_pb.js'
import { HttpInspectorSchema } from '../../shared/proto/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.js'
import { OriginalDstSchema } from '../../shared/proto/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.js'
import { TlsInspectorSchema } from '../../shared/proto/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.js'
import { createResource, type Resource } from '../../shared/xds/index.ts'
import { type Direction, listenerLog } from './access-log.ts'
import { socketAddress } from './address.ts'
import { milliseconds } from './duration.ts'

/** What differs between listeners. */
type ListenerParts = Partial<
  Pick<Listener, 'listenerFilters' | 'filterChains' | 'filterChainMatcher' | 'defaultFilterChain'>
>

/** Reads where the connection was going before it was redirected; on an internal listener, what that was told of it. */
export const ORIGINAL_DESTINATION: ListenerFilter = create(ListenerFilterSchema, {
  name: 'envoy.filters.listener.original_dst',
  configType: { case: 'typedConfig', value: anyPack(OriginalDstSchema, create(OriginalDstSchema)) }
})

/** Tells TLS from everything else by the first bytes, and reads the server name. */
export const TLS_INSPECTOR: ListenerFilter = create(ListenerFilterSchema, {
  name: 'envoy.filters.listener.tls_inspector',
  configType: { case: 'typedConfig', value: anyPack(TlsInspectorSchema, create(TlsInspectorSchema)) }
})

/**
 * Tells HTTP in the clear by its request line, for chains that ask. Comes after the TLS inspector, whose TLS it leaves
 * alone. Bytes that can be no request line are told by the first few; only half a request line is waited for.
 */
export const HTTP_INSPECTOR: ListenerFilter = create(ListenerFilterSchema, {
  name: 'envoy.filters.listener.http_inspector',
  configType: { case: 'typedConfig', value: anyPack(HttpInspectorSchema, create(HttpInspectorSchema)) }
})

// Where the server speaks first there are no first bytes to wait for. A connection in the clear waits no longer than
// this for all inspectors together, and is then what was declared, or bytes; mutual TLS always starts with the client
// and does not wait.
const INSPECTION_LIMIT_MS = 2_000

/**
 * A listener of the data path. Everything but its filter chains is the same during the whole life of a pod: Envoy
 * closes all connections of a listener when anything else of it changes.
 */
export function listener(
  name: string,
  direction: Direction,
  addresses: readonly string[],
  port: number,
  parts: ListenerParts
): Resource {
  const [first, ...others] = addresses
  if (first === undefined) throw new TypeError(`listener ${name} has no address`)
  return createResource(ListenerSchema, name, {
    name,
    address: socketAddress(first, port),
    additionalAddresses: others.map(address => ({ address: socketAddress(address, port) })),
    statPrefix: name.replaceAll('/', '_'),
    trafficDirection: direction === 'inbound' ? TrafficDirection.INBOUND : TrafficDirection.OUTBOUND,
    listenerFiltersTimeout: milliseconds(INSPECTION_LIMIT_MS),
    continueOnListenerFiltersTimeout: true,
    // Idle connections are never closed, so those whose other end is gone must be found some other way.
    tcpKeepalive: { keepaliveTime: 300 },
    accessLog: [listenerLog(direction)],
    ...parts
  })
}

// What is taken for bytes because it came later is still delivered.
const INTERNAL_INSPECTION_LIMIT_MS = 100

/**
 * A listener that is reached from within the proxy only, over memory (Envoy, "Internal listener"). A server that speaks
 * first is kept waiting by its inspectors no longer than a tenth of a second.
 */
export const internalListener = (name: string, direction: Direction, parts: ListenerParts): Resource =>
  createResource(ListenerSchema, name, {
    name,
    listenerSpecifier: { case: 'internalListener', value: {} },
    statPrefix: name.replaceAll('/', '_'),
    trafficDirection: direction === 'inbound' ? TrafficDirection.INBOUND : TrafficDirection.OUTBOUND,
    listenerFiltersTimeout: milliseconds(INTERNAL_INSPECTION_LIMIT_MS),
    continueOnListenerFiltersTimeout: true,
    accessLog: [listenerLog(direction)],
    ...parts
  })
