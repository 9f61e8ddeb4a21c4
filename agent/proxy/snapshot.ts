import { type Resource, type ResourceMap, resourceMap, type Snapshot, TYPE } from '../../shared/xds/index.ts'
import type { MeshState } from './mesh-state.ts'
import { type PodState, podResources } from './pod-resources.ts'
import { hasOwnTrust, identitySecrets } from './secrets.ts'
import { sharedResources } from './shared-resources.ts'

/**
 * All that a pod's proxy is served. Withheld, so that the proxy waits, and with it the application: everything while
 * the mesh has no root of its own, and all but secrets while the pod has no address.
 *
 * @throws TypeError as `podResources` does
 */
export function composeSnapshot(state: MeshState, pod: PodState): Snapshot {
  if (!hasOwnTrust(state.mesh)) return { types: new Map() }
  const shared = sharedResources(state)
  const secrets = joined(shared.secrets, identitySecrets(pod.svid))
  if (pod.workload.addresses.length === 0) return { types: new Map([[TYPE.secret, secrets]]) }
  const own = podResources(state, pod)
  return {
    types: new Map([
      [TYPE.secret, joined(secrets, own.secrets)],
      [TYPE.cluster, joined(shared.clusters, own.clusters)],
      [TYPE.endpoint, shared.endpoints],
      [TYPE.extensionConfig, resourceMap(own.filters)],
      [TYPE.listener, resourceMap(own.listeners)],
      [TYPE.route, resourceMap(own.routes)]
    ])
  }
}

function joined(shared: ResourceMap, own: readonly Resource[]): ResourceMap {
  const map = new Map(shared)
  for (const resource of own) map.set(resource.name, resource)
  return map
}
