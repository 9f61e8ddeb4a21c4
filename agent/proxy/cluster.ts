import { create } from '@bufbuild/protobuf'
import { type Any, anyPack } from '@bufbuild/protobuf/wkt'
import { Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  type CircuitBreakers,
  CircuitBreakersSchema
} from '../../shared/proto/gen/envoy/config/cluster/v3/circuit_breaker_pb.js'
import {
  type Cluster,
  ClusterSchema,
  Cluster_LbPolicy as LbPolicy,
  Cluster_DiscoveryType as Type
} from '../../shared/proto/gen/envoy/config/cluster/v3/cluster_pb.js'
import type { BindConfig } from '../../shared/proto/gen/envoy/config/core/v3/address_pb.js'
import { ClusterLoadAssignmentSchema } from '../../shared/proto/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import type { HttpFilter } from '../../shared/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { HttpProtocolOptionsSchema } from '../../shared/proto/gen/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js'
import { createResource, type Resource } from '../../shared/xds/index.ts'
import { socketAddress } from './address.ts'
import { milliseconds } from './duration.ts'

/** What differs between clusters. */
type ClusterParts = Partial<
  Pick<
    Cluster,
    | 'clusterDiscoveryType'
    | 'dnsLookupFamily'
    | 'edsClusterConfig'
    | 'lbPolicy'
    | 'loadAssignment'
    | 'respectDnsTtl'
    | 'transportSocket'
    | 'transportSocketMatches'
    | 'upstreamBindConfig'
    | 'upstreamConfig'
    | 'waitForWarmOnInit'
  >
>

/** The HTTP version that a cluster is spoken to in: always HTTP/2, or whatever the client spoke. */
export type HttpVersion = 'http2' | 'same as downstream'

export const httpVersionOf = (protocol: Protocol): HttpVersion =>
  protocol === Protocol.HTTP2 ? 'http2' : 'same as downstream'

// Shorter than the hour after which the proxy at the other end closes, so that they do not close at the same moment.
export const SERVICE_IDLE_MS = 900_000

// A server is verified when a connection is opened. So that nobody is trusted for long who no longer should be, even a
// busy one is replaced from time to time; requests on their way are not disturbed. TCP keeps its connections.
export const SERVICE_LIFETIME_MS = 3_600_000

/** Of the connections that are kept for further requests. */
interface PoolOptions {
  readonly http: HttpVersion
  /** How long one may be unused before it is closed. */
  readonly idleMs: number
  /** How old one may be before it is given no more requests, give or take a tenth. Default: without a limit. */
  readonly lifetimeMs?: number
  /** How many requests one carries. Default: without a limit. */
  readonly requests?: number
  /** What requests and answers pass on their way; the last sends. Default: what sends alone. */
  readonly filters?: readonly HttpFilter[]
}

// Envoy's defaults (1,024 of each) would limit what the application and its servers have agreed on between them.
const MOST = 0xffff_ffff
const NO_LIMITS: CircuitBreakers = create(CircuitBreakersSchema, {
  thresholds: [{ maxConnections: MOST, maxPendingRequests: MOST, maxRequests: MOST, maxRetries: MOST }]
})

const HTTP2 = { allowConnect: true }

const httpOptions = ({ http, idleMs, lifetimeMs, requests, filters = [] }: PoolOptions): Any =>
  anyPack(
    HttpProtocolOptionsSchema,
    create(HttpProtocolOptionsSchema, {
      commonHttpProtocolOptions: {
        idleTimeout: milliseconds(idleMs),
        ...(requests === undefined ? {} : { maxRequestsPerConnection: requests }),
        ...(lifetimeMs === undefined
          ? {}
          : { maxConnectionDuration: milliseconds(lifetimeMs), maxConnectionDurationJitter: { value: 10 } })
      },
      httpFilters: [...filters],
      upstreamProtocolOptions:
        http === 'http2'
          ? {
              case: 'explicitHttpConfig',
              value: { protocolConfig: { case: 'http2ProtocolOptions', value: HTTP2 } }
            }
          : { case: 'useDownstreamProtocolConfig', value: { httpProtocolOptions: {}, http2ProtocolOptions: HTTP2 } }
    })
  )

/** What every cluster has: no limits of its own, and probes that find connections whose other end is gone. */
export function cluster(name: string, pool: PoolOptions, parts: ClusterParts): Resource {
  return createResource(ClusterSchema, name, {
    name,
    connectTimeout: milliseconds(5_000),
    circuitBreakers: NO_LIMITS,
    upstreamConnectionOptions: { tcpKeepalive: { keepaliveTime: 300 } },
    typedExtensionProtocolOptions: { 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': httpOptions(pool) },
    ...parts
  })
}

// Applications close idle connections early (2 s is the shortest default known), and one that closes while a request
// is on its way fails that request. Connecting anew over loopback costs next to nothing.
const APPLICATION_IDLE_MS = 1_000

export type ApplicationPool = Omit<PoolOptions, 'idleMs'>
export type ApplicationParts = Pick<ClusterParts, 'transportSocket' | 'upstreamBindConfig' | 'upstreamConfig'>

/** To the application beside the proxy, at an address that is known. */
export function applicationCluster(
  name: string,
  address: string,
  port: number,
  pool: ApplicationPool,
  parts: ApplicationParts = {}
): Resource {
  return cluster(
    name,
    { ...pool, idleMs: APPLICATION_IDLE_MS },
    {
      ...parts,
      clusterDiscoveryType: { case: 'type', value: Type.STATIC },
      loadAssignment: create(ClusterLoadAssignmentSchema, {
        clusterName: name,
        endpoints: [
          { lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: { address: socketAddress(address, port) } } }] }
        ]
      })
    }
  )
}

/** To where the connection was going before it was redirected. */
export function originalDestinationCluster(name: string, http: HttpVersion, bind?: BindConfig): Resource {
  return cluster(
    name,
    { http, idleMs: APPLICATION_IDLE_MS },
    {
      clusterDiscoveryType: { case: 'type', value: Type.ORIGINAL_DST },
      lbPolicy: LbPolicy.CLUSTER_PROVIDED,
      ...(bind === undefined ? {} : { upstreamBindConfig: bind })
    }
  )
}
