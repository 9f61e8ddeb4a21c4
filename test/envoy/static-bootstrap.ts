import type { JsonObject, JsonValue } from '@bufbuild/protobuf'
import { type Snapshot, TYPE } from '../../shared/xds/index.ts'
import { resourceJson, resourcesOf } from './resource-json.ts'

/**
 * A bootstrap that holds a whole snapshot: what would come over the agent's stream stands in the file. Envoy
 * checks all of it before it starts, certificates and keys included.
 *
 * @throws TypeError when the snapshot refers to a secret, route or endpoints that it does not hold
 */
export function staticBootstrap(base: unknown, snapshot: Snapshot): JsonObject {
  const { dynamicResources: _, staticResources, ...rest } = base as JsonObject
  const { clusters = [] } = (staticResources ?? {}) as { clusters?: JsonObject[] }
  const inlined = (typeUrl: string): JsonValue[] =>
    resourcesOf(snapshot, typeUrl).map(resource => inline(resource, partsOf(snapshot)))
  return {
    ...rest,
    staticResources: {
      secrets: [...resourcesOf(snapshot, TYPE.secret)],
      clusters: [...clusters, ...inlined(TYPE.cluster)],
      listeners: inlined(TYPE.listener)
    }
  }
}

/** Finds what is referred to by name. */
type Parts = (kind: 'secret' | 'route' | 'endpoint' | 'extensionConfig', name: string) => JsonObject

function partsOf(snapshot: Snapshot): Parts {
  return (kind, name) => {
    const resource = snapshot.types.get(TYPE[kind])?.get(name)
    if (resource === undefined) throw new TypeError(`the snapshot refers to ${kind} ${name}, which it does not hold`)
    return resourceJson(resource)
  }
}

/** Replaces each reference to the agent's stream by what it refers to; secrets by their name alone. */
function inline(value: JsonValue, parts: Parts): JsonValue {
  if (Array.isArray(value)) return value.map(item => inline(item, parts))
  if (value === null || typeof value !== 'object') return value
  if ('sdsConfig' in value) return { name: String(parts('secret', String(value['name']))['name']) }
  if ('configDiscovery' in value) {
    const name = String(value['name'])
    return { name, typedConfig: inline(parts('extensionConfig', name)['typedConfig'] ?? {}, parts) }
  }
  if ('edsClusterConfig' in value) {
    const { edsClusterConfig: _, ...cluster } = value
    const loadAssignment = parts('endpoint', String(cluster['name']))
    return inline({ ...cluster, type: 'STATIC', loadAssignment }, parts)
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, item]): [string, JsonValue] =>
      key === 'rds'
        ? ['routeConfig', parts('route', String((item as JsonObject)['routeConfigName']))]
        : [key, inline(item, parts)]
    )
  )
}
