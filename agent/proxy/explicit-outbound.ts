import { create } from '@bufbuild/protobuf'
import type { Mesh, Service, Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { CidrRange } from '../../shared/proto/gen/envoy/config/core/v3/address_pb.js'
import { FilterChainSchema } from '../../shared/proto/gen/envoy/config/listener/v3/listener_components_pb.js'
import { RouteSchema, type VirtualHost } from '../../shared/proto/gen/envoy/config/route/v3/route_components_pb.js'
import { RouteConfigurationSchema } from '../../shared/proto/gen/envoy/config/route/v3/route_pb.js'
import { RdsSchema } from '../../shared/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { createResource, type Resource } from '../../shared/xds/index.ts'
import { hostRange, range } from './address.ts'
import { FROM_AGENT } from './config-source.ts'
import { domainsOf } from './domains.ts'
import { outboundHttp, type RouteSource } from './http.ts'
import { listener } from './listener.ts'
import { memoizeKeyed, memoizePair } from './memoize.ts'
import { inOrder, type Services } from './mesh-state.ts'
import { NAMES, outboundClusterName, outboundRouteName, PORTS } from './names.ts'
import { repeatingRoutes, tunnelRoute, virtualHost } from './route.ts'
import { distinctPorts } from './service-cluster.ts'

/**
 * The HTTP proxy for what the application calls. Whoever may use it speaks with the identity of the pod, so only
 * the machine itself may: its loopback addresses, and the addresses of pod and application.
 */
export const explicitOutboundListener: (workload: Workload, applicationAddress: string) => Resource = memoizeKeyed(
  (workload, applicationAddress) =>
    listener(NAMES.listener.outbound, 'outbound', workload.addresses, PORTS.outbound, {
      filterChains: [
        create(FilterChainSchema, {
          name: 'http-proxy',
          filterChainMatch: { sourcePrefixRanges: ownRanges([...workload.addresses, applicationAddress]) },
          filters: [outboundHttp({ routes: routesFor(workload.namespace), connect: true })]
        })
      ]
    })
)

/** Loopback and these addresses, each once: Envoy refuses a match that holds one range twice. */
function ownRanges(addresses: readonly string[]): CidrRange[] {
  const others = new Set(addresses.filter(address => !address.startsWith('127.') && address !== '::1'))
  return [range('127.0.0.0', 8), range('::1', 128), ...[...others].map(hostRange)]
}

const routesFor = (namespace: string): RouteSource => ({
  case: 'rds',
  value: create(RdsSchema, { routeConfigName: outboundRouteName(namespace), configSource: FROM_AGENT })
})

/** What a route configuration follows from, but for the namespace. */
const namesOf = memoizePair((mesh: Mesh, services: Services) => ({ services, clusterDomain: mesh.clusterDomain }))

const routesFrom = memoizeKeyed(({ services, clusterDomain }: ReturnType<typeof namesOf>, namespace: string) => {
  const taken = new Set<string>()
  const name = outboundRouteName(namespace)
  return createResource(RouteConfigurationSchema, name, {
    name,
    virtualHosts: [
      ...inOrder(services).flatMap(service => virtualHosts(service, namespace, clusterDomain, taken)),
      UNKNOWN
    ],
    validateClusters: false
  })
})

/** Where names lead, seen from one namespace: within it, a Service's name alone is enough. */
export const explicitRoutes = (mesh: Mesh, services: Services, namespace: string): Resource =>
  routesFrom(namesOf(mesh, services), namespace)

/** `taken`: domains of Services before this one; Envoy refuses a configuration that has one twice. */
function virtualHosts(service: Service, namespace: string, clusterDomain: string, taken: Set<string>): VirtualHost[] {
  return distinctPorts(service).flatMap(({ number }) => {
    const domains = domainsOf(service, number, namespace, clusterDomain).filter(domain => !taken.has(domain))
    if (domains.length === 0) return []
    for (const domain of domains) taken.add(domain)
    const cluster = outboundClusterName(service.namespace, service.name, number)
    const routes = [tunnelRoute(cluster), ...repeatingRoutes(cluster)]
    return [virtualHost(`${service.namespace}/${service.name}/${number}`, domains, routes)]
  })
}

const refusal = {
  status: 502,
  bodyFormat: {
    format: {
      case: 'textFormatSource' as const,
      value: {
        specifier: {
          case: 'inlineString' as const,
          value:
            'countersign: no service of the mesh is called %REQ(:AUTHORITY)%: ' +
            'expected <service>.<namespace>:<port>, where :80 may be left out\n'
        }
      }
    }
  }
}

const UNKNOWN = virtualHost(
  'unknown',
  ['*'],
  [
    create(RouteSchema, {
      match: { pathSpecifier: { case: 'connectMatcher', value: {} } },
      action: { case: 'directResponse', value: refusal }
    }),
    create(RouteSchema, {
      match: { pathSpecifier: { case: 'prefix', value: '/' } },
      action: { case: 'directResponse', value: refusal }
    })
  ]
)
