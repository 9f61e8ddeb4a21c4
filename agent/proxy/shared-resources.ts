import type { Mesh } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { type ResourceMap, resourceMap } from '../../shared/xds/index.ts'
import { memoize, memoizePair } from './memoize.ts'
import { inOrder, type MeshState, type Services } from './mesh-state.ts'
import { peersSecret, trustSecrets } from './secrets.ts'
import { NO_ENDPOINTS, serviceClusters, serviceEndpoints } from './service-cluster.ts'

/** What is the same for every pod of a node. */
export interface SharedResources {
  readonly clusters: ResourceMap
  readonly endpoints: ResourceMap
  /** Trust bundles, and for each Service who may serve it. */
  readonly secrets: ResourceMap
}

/**
 * Computed once for each state, and each part once for what it depends on: when endpoints change, the same clusters and
 * secrets are there, as objects. What is encoded is encoded once for each message: a Service that changed costs its own
 * resources.
 */
export const sharedResources: (state: MeshState) => SharedResources = memoize(({ mesh, services, endpoints }) => ({
  clusters: clustersOf(services),
  endpoints: endpointsOf(services, endpoints),
  secrets: secretsOf(mesh, services)
}))

const clustersOf = memoize((services: Services) => resourceMap(inOrder(services).flatMap(serviceClusters)))

const endpointsOf = memoizePair((services: Services, endpoints: MeshState['endpoints']) =>
  resourceMap(
    inOrder(services).flatMap(service =>
      serviceEndpoints(service, endpoints.get(`${service.namespace}/${service.name}`) ?? NO_ENDPOINTS)
    )
  )
)

const secretsOf = memoizePair((mesh: Mesh, services: Services) =>
  resourceMap([...trustSecrets(mesh), ...inOrder(services).map(service => peersSecret(mesh, service))])
)
