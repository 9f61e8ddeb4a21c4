import { createHash } from 'node:crypto'
import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf'

/** One resource as it travels. Made once, shared by every stream it is sent on. */
export interface Resource {
  readonly name: string
  /** Opaque; another value means another content. */
  readonly version: string
  readonly typeUrl: string
  /** The serialized message: encoded once, never changed. */
  readonly value: Uint8Array
}

/** The resources of one type, by name. */
export type ResourceMap = ReadonlyMap<string, Resource>

/**
 * What a server says at one moment. A type that is absent is withheld: its subscribers get no answer at all until it
 * appears. A type that is present and empty says that there are no resources.
 */
export interface Snapshot {
  readonly types: ReadonlyMap<string, ResourceMap>
}

/** A current snapshot, and word when there is another. The listener takes no argument: it asks for the newest. */
export interface SnapshotSource {
  current(): Snapshot
  subscribe(listener: () => void): () => void
}

const VERSION_HEX_DIGITS = 16

/**
 * Encodes a message as a resource of its type. The version follows from the content alone, so equal content has an
 * equal version in every process: a client that reconnects to another replica is not sent what it has.
 */
export function createResource<Schema extends DescMessage>(
  schema: Schema,
  name: string,
  message: MessageInitShape<Schema>
): Resource {
  const value = toBinary(schema, create(schema, message))
  const version = createHash('sha256').update(value).digest('hex').slice(0, VERSION_HEX_DIGITS)
  return { name, version, typeUrl: typeUrlOf(schema), value }
}

/** @throws TypeError when two resources have one name: one of them would be lost */
export function resourceMap(resources: Iterable<Resource>): ResourceMap {
  const map = new Map<string, Resource>()
  for (const resource of resources) {
    if (map.has(resource.name)) throw new TypeError(`resource ${resource.name} of ${resource.typeUrl} is there twice`)
    map.set(resource.name, resource)
  }
  return map
}

/** `type.googleapis.com/<full name>`, as in google.protobuf.Any. */
export function typeUrlOf(schema: Pick<DescMessage, 'typeName'>): string {
  return `type.googleapis.com/${schema.typeName}`
}
