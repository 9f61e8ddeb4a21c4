import { fromBinary, type JsonObject, type JsonValue, toJson } from '@bufbuild/protobuf'
import type { Resource, Snapshot } from '../../shared/xds/index.ts'
import { envoyRegistry } from './registry.ts'

/** A resource as proto-JSON, with what is inside its Anys; what Envoy reads from files, and tests can read too. */
export function resourceJson({ typeUrl, value }: Resource): JsonObject {
  const schema = envoyRegistry.getMessage(typeUrl.replace('type.googleapis.com/', ''))
  if (schema === undefined) throw new TypeError(`test/envoy/registry.ts does not know ${typeUrl}`)
  return toJson(schema, fromBinary(schema, value), { registry: envoyRegistry }) as JsonObject
}

/** The resources of one type of a snapshot. */
export function resourcesOf(snapshot: Snapshot, typeUrl: string): readonly JsonObject[] {
  return [...(snapshot.types.get(typeUrl)?.values() ?? [])].map(resourceJson)
}

/** Where the parts of a configuration come from instead of the agent's stream. */
export interface Sources {
  secret(name: string): JsonObject
  routes(name: string): JsonObject
  endpoints(cluster: JsonObject): JsonObject
}

/** Replaces each reference to the agent's stream, in a listener or cluster. */
export function withSources(value: JsonValue, sources: Sources): JsonValue {
  if (Array.isArray(value)) return value.map(item => withSources(item, sources))
  if (value === null || typeof value !== 'object') return value
  if ('sdsConfig' in value) return sources.secret(String(value['name']))
  const replaced = 'edsClusterConfig' in value ? sources.endpoints(value) : value
  return Object.fromEntries(
    Object.entries(replaced).flatMap(([key, item]): [string, JsonValue][] => {
      if (key === 'rds') return Object.entries(sources.routes(String((item as JsonObject)['routeConfigName'])))
      return [[key, withSources(item, sources)]]
    })
  )
}
