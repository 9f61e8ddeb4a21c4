import { create } from '@bufbuild/protobuf'
import {
  type Filter,
  FilterChainSchema
} from '../../shared/proto/gen/envoy/config/listener/v3/listener_components_pb.js'
import { ListenerSchema } from '../../shared/proto/gen/envoy/config/listener/v3/listener_pb.js'
import {
  DirectResponseActionSchema,
  type Route,
  RouteActionSchema,
  RouteSchema
} from '../../shared/proto/gen/envoy/config/route/v3/route_components_pb.js'
import { createResource, type Resource } from '../../shared/xds/index.ts'
import { socketAddress } from './address.ts'
import { plainHttp } from './http.ts'
import { NAMES, PORTS } from './names.ts'
import { anyHost } from './route.ts'

/** What a port of the proxy itself answers at one path; everything else is not found. */
function pathListener(
  name: string,
  addresses: readonly string[],
  port: number,
  path: string,
  action: Route['action']
): Resource {
  const route = create(RouteSchema, { match: { pathSpecifier: { case: 'path', value: path } }, action })
  return ownListener(name, addresses, port, plainHttp(name, anyHost(name, [route])))
}

/** A port of the proxy itself, in the clear. */
export function ownListener(name: string, addresses: readonly string[], port: number, filter: Filter): Resource {
  const [first = '', ...others] = addresses
  return createResource(ListenerSchema, name, {
    name,
    address: socketAddress(first, port),
    additionalAddresses: others.map(address => ({ address: socketAddress(address, port) })),
    statPrefix: name,
    // A pod that is full of connections is still ready, and says so.
    ignoreGlobalConnLimit: true,
    filterChains: [create(FilterChainSchema, { name, filters: [filter] })]
  })
}

/**
 * Exists only where listeners come from the agent, which sends them when the pod's traffic is protected: no answer
 * means not yet.
 */
export const readinessListener = (addresses: readonly string[]): Resource =>
  pathListener(NAMES.listener.readiness, addresses, PORTS.readiness, '/ready', {
    case: 'directResponse',
    value: create(DirectResponseActionSchema, { status: 200 })
  })

/** The proxy's metrics, and nothing else of its admin interface. */
export const metricsListener = (addresses: readonly string[]): Resource =>
  pathListener(NAMES.listener.metrics, addresses, PORTS.metrics, '/stats/prometheus', {
    case: 'route',
    value: create(RouteActionSchema, { clusterSpecifier: { case: 'cluster', value: NAMES.cluster.admin } })
  })
