import { create } from '@bufbuild/protobuf'
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryResponse,
  type Resource as SentResource
} from '../proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { StatusSchema } from '../proto/gen/google/rpc/status_pb.js'
import type { Resource, ResourceMap } from './resource.ts'
import type { ResourceType } from './resource-type.ts'
import { WILDCARD } from './type-url.ts'

interface Kept {
  /** Absent until the server has answered, or something was restored. */
  resources: ResourceMap | undefined
  messages: ReadonlyMap<string, unknown>
}

interface Refusal {
  readonly name: string
  readonly reason: string
}

/** What came of one response. */
export interface Taken {
  /** The ACK or NACK to send. */
  readonly reply: DeltaDiscoveryRequest
  readonly typeUrl: string
  /** Whether this type was asked for. */
  readonly known: boolean
  readonly changed: boolean
  readonly refused: readonly Refusal[]
}

// google.rpc.Code.INVALID_ARGUMENT: what Envoy puts into its refusals, too.
const INVALID_ARGUMENT = 3
const LONGEST_REASON = 2048

/**
 * What a delta client keeps: every resource of its types, over any number of streams.
 *
 * A resource that cannot be read is refused and the earlier one of that name stays; the others of the same response
 * are taken. Source: "xDS REST and gRPC protocol", section "Incremental xDS".
 */
export class ClientState {
  readonly #types: ReadonlyMap<string, ResourceType<unknown>>
  readonly #kept: ReadonlyMap<string, Kept>

  constructor(types: readonly ResourceType<unknown>[]) {
    this.#types = new Map(types.map(type => [type.typeUrl, type]))
    if (this.#types.size !== types.length) throw new TypeError('a type is subscribed to twice')
    this.#kept = new Map(types.map(({ typeUrl }) => [typeUrl, { resources: undefined, messages: new Map() }]))
  }

  /** Takes resources from an earlier life; what cannot be read is left out. Only before the first stream. */
  restore(resources: Iterable<Resource>): void {
    const byType = Map.groupBy(resources, ({ typeUrl }) => typeUrl)
    for (const [typeUrl, kept] of this.#kept) {
      const restored = byType.get(typeUrl)
      const readable = restored?.flatMap(resource => {
        const message = this.#decode(resource)
        return 'reason' in message ? [] : [{ resource, message: message.value }]
      })
      if (readable === undefined) continue
      kept.resources = new Map(readable.map(({ resource }) => [resource.name, resource]))
      kept.messages = new Map(readable.map(({ resource, message }) => [resource.name, message]))
    }
  }

  /** The requests that open a stream: everything of every type, and what is there already need not be sent again. */
  opening(): readonly DeltaDiscoveryRequest[] {
    return [...this.#kept].map(([typeUrl, { resources }]) => {
      const held = [...(resources?.values() ?? [])]
      return create(DeltaDiscoveryRequestSchema, {
        typeUrl,
        resourceNamesSubscribe: [WILDCARD],
        initialResourceVersions: Object.fromEntries(held.map(({ name, version }) => [name, version]))
      })
    })
  }

  take(response: DeltaDiscoveryResponse): Taken {
    const { typeUrl, nonce } = response
    const kept = this.#kept.get(typeUrl)
    if (kept === undefined) {
      const refused = [{ name: typeUrl, reason: 'this type was not asked for' }]
      return { reply: replyTo(typeUrl, nonce, refused), typeUrl, known: false, changed: false, refused }
    }
    const resources = new Map(kept.resources)
    const messages = new Map(kept.messages)
    const refused: Refusal[] = []
    for (const sent of response.resources) {
      const read = this.#read(typeUrl, sent)
      if ('reason' in read) {
        refused.push({ name: sent.name, reason: read.reason })
        continue
      }
      resources.set(sent.name, read.resource)
      messages.set(sent.name, read.message)
    }
    let removed = 0
    for (const name of response.removedResources) {
      if (resources.delete(name)) removed += 1
      messages.delete(name)
    }
    const changed = kept.resources === undefined || removed > 0 || response.resources.length > refused.length
    if (changed) {
      kept.resources = resources
      kept.messages = messages
    }
    return { reply: replyTo(typeUrl, nonce, refused), typeUrl, known: true, changed, refused }
  }

  /** The types that are known, each with everything that is kept of it. */
  get resources(): ReadonlyMap<string, ResourceMap> {
    const known = new Map<string, ResourceMap>()
    for (const [typeUrl, { resources }] of this.#kept) if (resources !== undefined) known.set(typeUrl, resources)
    return known
  }

  /** @throws TypeError when the type is not one of those subscribed to */
  messages<T>(type: ResourceType<T>): ReadonlyMap<string, T> {
    const kept = this.#kept.get(type.typeUrl)
    if (kept === undefined) throw new TypeError(`${type.typeUrl} is not subscribed to`)
    return kept.messages as ReadonlyMap<string, T>
  }

  #read(typeUrl: string, sent: SentResource): { resource: Resource; message: unknown } | { reason: string } {
    const { name, version, resource: any } = sent
    if (name === '') return { reason: 'it has no name' }
    if (any === undefined) return { reason: 'it has no content' }
    if (any.typeUrl !== typeUrl) return { reason: `its content is of type ${any.typeUrl}, expected ${typeUrl}` }
    const resource = { name, version, typeUrl, value: any.value }
    const decoded = this.#decode(resource)
    return 'reason' in decoded ? decoded : { resource, message: decoded.value }
  }

  #decode({ typeUrl, name, value }: Resource): { value: unknown } | { reason: string } {
    try {
      return { value: this.#types.get(typeUrl)?.decode(value, name) }
    } catch (thrown) {
      return { reason: thrown instanceof Error ? thrown.message : String(thrown) }
    }
  }
}

function replyTo(typeUrl: string, nonce: string, refused: readonly Refusal[]): DeltaDiscoveryRequest {
  if (refused.length === 0) return create(DeltaDiscoveryRequestSchema, { typeUrl, responseNonce: nonce })
  const message = refused.map(({ name, reason }) => `${name}: ${reason}`).join('; ')
  const errorDetail = create(StatusSchema, { code: INVALID_ARGUMENT, message: message.slice(0, LONGEST_REASON) })
  return create(DeltaDiscoveryRequestSchema, { typeUrl, responseNonce: nonce, errorDetail })
}
