import { create } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import {
  type HeaderMatcher,
  HeaderMatcherSchema,
  type RetryPolicy,
  RetryPolicySchema,
  type Route,
  RouteSchema,
  type VirtualHost,
  VirtualHostSchema
} from '../../shared/proto/gen/envoy/config/route/v3/route_components_pb.js'
import {
  type RouteConfiguration,
  RouteConfigurationSchema
} from '../../shared/proto/gen/envoy/config/route/v3/route_pb.js'
import { PreviousHostsPredicateSchema } from '../../shared/proto/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js'
import { NEVER } from './duration.ts'
import { LOCAL_PORT_HEADER } from './local-port.ts'
import { smallRegex } from './regex.ts'
import { SAFE_METHODS, UNDELIVERED_HEADER } from './undelivered.ts'

// Only what provably did not reach an application, or does no harm twice, is sent again, and to another endpoint where
// there is one.
const repeat = (retryOn: string): RetryPolicy =>
  create(RetryPolicySchema, {
    retryOn,
    retriableHeaders: [{ name: UNDELIVERED_HEADER, headerMatchSpecifier: { case: 'presentMatch', value: true } }],
    numRetries: 2,
    retryHostPredicate: [
      {
        name: 'envoy.retry_host_predicates.previous_hosts',
        configType: {
          case: 'typedConfig',
          value: anyPack(PreviousHostsPredicateSchema, create(PreviousHostsPredicateSchema))
        }
      }
    ],
    // Of two endpoints each draw finds the other one half of the time: so many draws that it is found.
    hostSelectionRetryMaxAttempts: 20n
  })

const UNDELIVERED = 'connect-failure,refused-stream,reset-before-request,retriable-headers'
const REPEAT_UNDELIVERED = repeat(UNDELIVERED)
const REPEAT_UNANSWERED = repeat(`${UNDELIVERED},reset`)

const SAFE: HeaderMatcher = create(HeaderMatcherSchema, {
  name: ':method',
  headerMatchSpecifier: {
    case: 'stringMatch',
    value: { matchPattern: smallRegex(SAFE_METHODS.join('|')) }
  }
})

/** Towards a Service: what reached no application is repeated, and of what is safe all that had no answer. */
export const repeatingRoutes = (cluster: string): readonly [Route, Route] => [
  forward(cluster, REPEAT_UNANSWERED, [SAFE]),
  forward(cluster, REPEAT_UNDELIVERED)
]

/** Every request, without a time limit. */
function forward(cluster: string, retryPolicy?: RetryPolicy, headers: HeaderMatcher[] = []): Route {
  return create(RouteSchema, {
    match: { pathSpecifier: { case: 'prefix', value: '/' }, headers },
    // Of answers that came from further on; what this proxy itself answers has it added afterwards.
    responseHeadersToRemove: [UNDELIVERED_HEADER],
    action: {
      case: 'route',
      value: {
        clusterSpecifier: { case: 'cluster', value: cluster },
        timeout: NEVER,
        ...(retryPolicy === undefined ? {} : { retryPolicy })
      }
    }
  })
}

/** CONNECT requests (RFC 9110, section 9.3.6): the tunnel ends here, and what it carries goes to the cluster. */
export function tunnelRoute(cluster: string): Route {
  return create(RouteSchema, {
    match: { pathSpecifier: { case: 'connectMatcher', value: {} } },
    action: {
      case: 'route',
      value: {
        clusterSpecifier: { case: 'cluster', value: cluster },
        timeout: NEVER,
        upgradeConfigs: [{ upgradeType: 'CONNECT', connectConfig: {} }]
      }
    }
  })
}

export function virtualHost(name: string, domains: readonly string[], routes: readonly Route[]): VirtualHost {
  return create(VirtualHostSchema, { name, domains: [...domains], routes: [...routes] })
}

/** A configuration for every host alike. */
export function anyHost(name: string, routes: readonly Route[]): RouteConfiguration {
  return create(RouteConfigurationSchema, {
    name,
    virtualHosts: [virtualHost(name, ['*'], routes)],
    // A route may come before its cluster; a request that is faster than both is answered 503.
    validateClusters: false
  })
}

/** Every request to the application; the header that names the local port is not for it. */
export const applicationRoute = (cluster: string): RouteConfiguration =>
  create(RouteConfigurationSchema, {
    ...anyHost(cluster, [forward(cluster)]),
    requestHeadersToRemove: [LOCAL_PORT_HEADER]
  })

/** Every request on a connection to one cluster. */
export const singleRoute = (cluster: string, options: { readonly retry: boolean }): RouteConfiguration =>
  anyHost(cluster, options.retry ? repeatingRoutes(cluster) : [forward(cluster)])
