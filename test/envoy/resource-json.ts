import { fromBinary, type JsonObject, toJson } from '@bufbuild/protobuf'
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
