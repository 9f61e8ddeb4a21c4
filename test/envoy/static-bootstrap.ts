import type { JsonObject } from '@bufbuild/protobuf'
import { type Snapshot, TYPE } from '../../shared/xds/index.ts'
import { resourcesOf, type Sources, withSources } from './resource-json.ts'

/**
 * A bootstrap that holds a whole snapshot: what would come over the agent's stream stands in the file. Envoy
 * checks all of it before it starts, certificates and keys included.
 */
export function staticBootstrap(base: unknown, snapshot: Snapshot): JsonObject {
  const { dynamicResources: _, staticResources, ...rest } = base as JsonObject
  const byName = (typeUrl: string, key: string): Map<string, JsonObject> =>
    new Map(resourcesOf(snapshot, typeUrl).map(resource => [String(resource[key]), resource]))
  const routes = byName(TYPE.route, 'name')
  const assignments = byName(TYPE.endpoint, 'clusterName')
  const found = (map: Map<string, JsonObject>, name: string): JsonObject => {
    const resource = map.get(name)
    if (resource === undefined) throw new TypeError(`the snapshot refers to ${name}, which it does not hold`)
    return resource
  }
  const sources: Sources = {
    secret: name => {
      if (!snapshot.types.get(TYPE.secret)?.has(name)) throw new TypeError(`the snapshot has no secret ${name}`)
      return { name }
    },
    routes: name => ({ routeConfig: found(routes, name) }),
    endpoints: ({ edsClusterConfig: _, ...cluster }) => ({
      ...cluster,
      type: 'STATIC',
      loadAssignment: found(assignments, String(cluster['name']))
    })
  }
  const { clusters = [] } = (staticResources ?? {}) as { clusters?: JsonObject[] }
  return {
    ...rest,
    staticResources: {
      secrets: [...resourcesOf(snapshot, TYPE.secret)],
      clusters: [...clusters, ...resourcesOf(snapshot, TYPE.cluster).map(cluster => withSources(cluster, sources))],
      listeners: resourcesOf(snapshot, TYPE.listener).map(listener => withSources(listener, sources))
    }
  }
}
