import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { DeltaDiscoveryResponseSchema } from '../proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import type { Resource, Snapshot } from './resource.ts'

/** A snapshot as bytes, to be kept in a file: one DeltaDiscoveryResponse with the resources of all types. */
export function packResources({ types }: Snapshot): Uint8Array {
  const all = [...types.values()].flatMap(map => [...map.values()])
  const resources = all.map(({ name, version, typeUrl, value }) => ({ name, version, resource: { typeUrl, value } }))
  return toBinary(DeltaDiscoveryResponseSchema, create(DeltaDiscoveryResponseSchema, { resources }))
}

/** @throws Error when the bytes are not what `packResources` made */
export function unpackResources(bytes: Uint8Array): Resource[] {
  return fromBinary(DeltaDiscoveryResponseSchema, bytes).resources.map(({ name, version, resource }) => {
    if (name === '' || resource === undefined) throw new Error('a resource has no name or no content')
    return { name, version, typeUrl: resource.typeUrl, value: resource.value }
  })
}
