import { create } from '@bufbuild/protobuf'
import {
  type Endpoint,
  type Endpoints,
  EndpointsSchema,
  type Service
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  Cluster_EdsClusterConfigSchema as EdsClusterConfigSchema,
  Cluster_LbPolicy as LbPolicy,
  Cluster_TransportSocketMatchSchema as TransportSocketMatchSchema,
  Cluster_DiscoveryType as Type
} from '../../shared/proto/gen/envoy/config/cluster/v3/cluster_pb.js'
import { MetadataSchema } from '../../shared/proto/gen/envoy/config/core/v3/base_pb.js'
import {
  EndpointSchema,
  type LbEndpoint,
  LbEndpointSchema
} from '../../shared/proto/gen/envoy/config/endpoint/v3/endpoint_components_pb.js'
import { ClusterLoadAssignmentSchema } from '../../shared/proto/gen/envoy/config/endpoint/v3/endpoint_pb.js'
import { createResource, type Resource } from '../../shared/xds/index.ts'
import { socketAddress } from './address.ts'
import { cluster, httpVersionOf, SERVICE_IDLE_MS, SERVICE_LIFETIME_MS } from './cluster.ts'
import { FROM_AGENT } from './config-source.ts'
import { memoize, memoizePair } from './memoize.ts'
import { outboundClusterName, peersSecretName, serverNameOf } from './names.ts'
import { clientSocket, PLAINTEXT_SOCKET } from './tls.ts'

// Envoy's key for choosing a transport socket by endpoint.
const MATCH_KEY = 'envoy.transport_socket_match'
const PLAINTEXT = { countersign: 'plaintext' }

const ENDPOINTS_FROM_AGENT = create(EdsClusterConfigSchema, { edsConfig: FROM_AGENT })

const IN_THE_CLEAR = create(TransportSocketMatchSchema, {
  name: 'plaintext',
  match: PLAINTEXT,
  transportSocket: PLAINTEXT_SOCKET
})

/**
 * One cluster for each port. Mutual TLS is what a connection gets unless its endpoint is marked as one without a
 * proxy: an endpoint whose mark is lost is then refused instead of spoken to in the clear. No connection falls back.
 */
export const serviceClusters: (service: Service) => readonly Resource[] = memoize(service =>
  distinctPorts(service).map(({ number, protocol }) => {
    const { namespace, name } = service
    return cluster(
      outboundClusterName(namespace, name, number),
      { http: httpVersionOf(protocol), idleMs: SERVICE_IDLE_MS, lifetimeMs: SERVICE_LIFETIME_MS },
      {
        clusterDiscoveryType: { case: 'type', value: Type.EDS },
        edsClusterConfig: ENDPOINTS_FROM_AGENT,
        lbPolicy: LbPolicy.LEAST_REQUEST,
        transportSocket: clientSocket(serverNameOf(namespace, name, number), peersSecretName(namespace, name)),
        transportSocketMatches: [IN_THE_CLEAR]
      }
    )
  })
)

/**
 * The endpoints of each port that may be chosen, and so none that is not ready; a port that nothing is known of has
 * none. Without an answer a proxy never starts.
 */
export const serviceEndpoints: (service: Service, endpoints: Endpoints) => readonly Resource[] = memoizePair(
  (service, endpoints) =>
    distinctPorts(service).map(({ number }) => {
      const name = outboundClusterName(service.namespace, service.name, number)
      const ofPort = endpoints.ports.filter(({ servicePort }) => servicePort === number).flatMap(port => port.endpoints)
      return createResource(ClusterLoadAssignmentSchema, name, {
        clusterName: name,
        endpoints: [{ lbEndpoints: ofPort.map(lbEndpoint) }]
      })
    })
)

export const NO_ENDPOINTS: Endpoints = create(EndpointsSchema)

const plaintextMetadata = create(MetadataSchema, { filterMetadata: { [MATCH_KEY]: PLAINTEXT } })

const lbEndpoint = ({ address, port, mutualTls }: Endpoint): LbEndpoint =>
  create(LbEndpointSchema, {
    hostIdentifier: { case: 'endpoint', value: create(EndpointSchema, { address: socketAddress(address, port) }) },
    ...(mutualTls ? {} : { metadata: plaintextMetadata })
  })

/** The ports of a Service, each number once: TCP and UDP may share one, and the first stands for it. */
export const distinctPorts = memoize((service: Service) => {
  const byNumber = new Map<number, Service['ports'][number]>()
  for (const port of service.ports) if (!byNumber.has(port.number)) byNumber.set(port.number, port)
  return [...byNumber.values()]
})
