import type { Probe } from '../../shared/probes/index.ts'
import type { Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { Resource } from '../../shared/xds/index.ts'
import { directClusters, directSecrets } from './direct-cluster.ts'
import { endUserFilters, loginOf } from './end-user-filters.ts'
import { explicitInboundClusters, explicitInboundListeners } from './explicit-inbound.ts'
import { explicitOutboundListener, explicitRoutes } from './explicit-outbound.ts'
import { type Families, familiesOf, wildcardsOf } from './families.ts'
import { metricsListener, readinessListener } from './health-listeners.ts'
import type { Interception } from './interception.ts'
import { loginResources } from './login-resources.ts'
import { memoize } from './memoize.ts'
import type { MeshState } from './mesh-state.ts'
import { explicitProbeResources, redirectProbeResources } from './probe-listener.ts'
import { redirectInboundClusters, redirectInboundListener } from './redirect-inbound.ts'
import {
  passthroughCluster,
  redirectOutboundFilters,
  redirectOutboundListener,
  undeclaredOutboundListener
} from './redirect-outbound.ts'
import type { PodSvid } from './secrets.ts'
import { minimumTlsOf } from './tls.ts'
import { undeclaredCluster } from './undeclared-outbound.ts'

/** One pod, as its node's agent knows it. */
export interface PodState {
  readonly workload: Workload
  readonly svid: PodSvid
  readonly interception: Interception
  /** What the kubelet asks the proxy instead of the application. */
  readonly probes: readonly Probe[]
}

/** What only this pod has, or only pods like it; its certificate aside. */
export interface PodResources {
  readonly clusters: readonly Resource[]
  readonly listeners: readonly Resource[]
  readonly routes: readonly Resource[]
  /** Filters of the listeners, where these hold a reference only. */
  readonly filters: readonly Resource[]
  readonly secrets: readonly Resource[]
}

/**
 * Pods that are alike share resources, as objects: outgoing listeners of redirected pods by address family, routes
 * by namespace.
 *
 * @throws TypeError when the application's address is the pod's own: the proxy would call itself
 */
export function podResources(state: MeshState, { workload, interception, probes }: PodState): PodResources {
  const minimumTls = minimumTlsOf(state.mesh)
  const login = loginResources(workload, state)
  switch (interception.kind) {
    case 'redirect': {
      const families = familiesOf(workload)
      const probing = redirectProbeResources(workload, probes)
      return {
        clusters: [
          passthroughCluster,
          undeclaredCluster,
          ...directClusters(state.services),
          ...redirectInboundClusters[families].values(),
          ...probing.clusters,
          ...login.clusters
        ],
        listeners: [
          redirectOutboundListener(state, families),
          undeclaredOutboundListener(state),
          redirectInboundListener(workload, minimumTls, loginOf(workload, state)),
          ...redirectHealthListeners[families],
          ...probing.listeners,
          ...login.listeners
        ],
        routes: [],
        filters: [...redirectOutboundFilters(state.services), ...endUserFilters(workload, state)],
        secrets: [...directSecrets(state.mesh, state.services), ...login.secrets]
      }
    }
    case 'explicit': {
      const { applicationAddress } = interception
      if (workload.addresses.includes(applicationAddress))
        throw new TypeError(`application address ${applicationAddress} is the pod's own: expected another one`)
      const probing = explicitProbeResources(workload, probes, applicationAddress)
      return {
        clusters: [...explicitInboundClusters(workload, applicationAddress), ...probing.clusters, ...login.clusters],
        listeners: [
          explicitOutboundListener(workload, applicationAddress),
          ...explicitInboundListeners(workload, minimumTls, loginOf(workload, state)),
          ...explicitHealthListeners(workload),
          ...probing.listeners,
          ...login.listeners
        ],
        routes: [explicitRoutes(state.mesh, state.services, workload.namespace)],
        filters: endUserFilters(workload, state),
        secrets: login.secrets
      }
    }
  }
}

const healthListeners = (addresses: readonly string[]): readonly Resource[] => [
  readinessListener(addresses),
  metricsListener(addresses)
]

const redirectHealthListeners: Readonly<Record<Families, readonly Resource[]>> = {
  ipv4: healthListeners(wildcardsOf('ipv4')),
  ipv6: healthListeners(wildcardsOf('ipv6')),
  dual: healthListeners(wildcardsOf('dual'))
}

const explicitHealthListeners = memoize((workload: Workload) => healthListeners(workload.addresses))
