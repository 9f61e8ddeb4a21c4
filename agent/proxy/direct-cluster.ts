import type { Mesh, Service } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  Cluster_LbPolicy as LbPolicy,
  Cluster_DiscoveryType as Type
} from '../../shared/proto/gen/envoy/config/cluster/v3/cluster_pb.js'
import type { Resource } from '../../shared/xds/index.ts'
import { cluster, httpVersionOf, SERVICE_IDLE_MS, SERVICE_LIFETIME_MS } from './cluster.ts'
import { directsOf, distinct } from './direct.ts'
import { memoize, memoizePair } from './memoize.ts'
import { inOrder, type Services } from './mesh-state.ts'
import { DIRECT_SERVER_NAME, peerSecretName } from './names.ts'
import { peerSecret } from './secrets.ts'
import { clientSocket } from './tls.ts'

const clustersOf = memoize((service: Service) =>
  directsOf(service).map(({ name, identity, protocol }) =>
    cluster(
      name,
      { http: httpVersionOf(protocol), idleMs: SERVICE_IDLE_MS, lifetimeMs: SERVICE_LIFETIME_MS },
      {
        clusterDiscoveryType: { case: 'type', value: Type.ORIGINAL_DST },
        lbPolicy: LbPolicy.CLUSTER_PROVIDED,
        transportSocket: clientSocket(DIRECT_SERVER_NAME, peerSecretName(identity))
      }
    )
  )
)

/**
 * The clusters for connections to the address of a pod: they go nowhere else, always with mutual TLS, and demand the
 * identity of that pod.
 */
export const directClusters: (services: Services) => readonly Resource[] = memoize(services =>
  distinct(inOrder(services).flatMap(clustersOf))
)

const secretsOf = memoizePair((mesh: Mesh, service: Service) =>
  service.podIdentities.map(identity => peerSecret(mesh, identity))
)

/** For each identity of a pod the secret that demands exactly it. */
export const directSecrets: (mesh: Mesh, services: Services) => readonly Resource[] = memoizePair((mesh, services) =>
  distinct(inOrder(services).flatMap(service => secretsOf(mesh, service)))
)
