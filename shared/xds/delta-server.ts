import { create } from '@bufbuild/protobuf'
import {
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  DeltaDiscoveryResponseSchema
} from '../proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { type Changes, DeltaSubscription } from './delta-subscription.ts'
import { checkNames, checkRemembered } from './limits.ts'
import type { ResourceMap, Snapshot } from './resource.ts'
import { type DiscoveryServer, type DiscoveryServerOptions, requestedType } from './server.ts'
import { versionOf } from './version.ts'

interface Unanswered {
  readonly typeUrl: string
  readonly versions: ReadonlyMap<string, string>
  readonly names: readonly string[]
}

// A client that never acknowledges must not make the stream grow. Older responses are then taken as unanswered.
const MOST_UNANSWERED = 64

/**
 * One delta stream, seen from the server.
 *
 * - A refused response is not sent again: what was in it counts as sent until its content changes.
 * - What changed is sent in the order of `order.updates`; what is gone follows, in the order of `order.removals`.
 * - A name that does not exist is answered with removed_resources, so that the client need not wait. That holds for
 *   secrets too: Envoy then finishes warming whoever refers to that secret, and its connections fail until the
 *   secret exists, while everything else in the proxy works. A secret that is merely not there yet must be withheld
 *   by leaving its type out of the snapshot.
 *
 * Source: "xDS REST and gRPC protocol", section "Incremental xDS".
 */
export class DeltaServer implements DiscoveryServer<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  readonly #options: DiscoveryServerOptions
  readonly #subscriptions = new Map<string, DeltaSubscription>()
  readonly #unanswered = new Map<string, Unanswered>()
  #responses = 0

  constructor(options: DiscoveryServerOptions) {
    this.#options = options
  }

  receive(request: DeltaDiscoveryRequest): void {
    const typeUrl = requestedType(request.typeUrl, this.#options)
    if (typeUrl === undefined) return
    const { limits } = this.#options
    checkNames('resource_names_subscribe', request.resourceNamesSubscribe, limits)
    checkNames('resource_names_unsubscribe', request.resourceNamesUnsubscribe, limits)
    checkNames('initial_resource_versions', Object.keys(request.initialResourceVersions), limits)
    this.#settle(typeUrl, request)

    const known = this.#subscriptions.get(typeUrl)
    if (known === undefined) {
      const subscription = new DeltaSubscription()
      this.#subscriptions.set(typeUrl, subscription)
      subscription.start(request)
    } else if (request.resourceNamesSubscribe.length + request.resourceNamesUnsubscribe.length > 0) {
      known.change(request)
    }
    const all = [...this.#subscriptions.values()].map(subscription => subscription.remembered)
    checkRemembered('resource_names_subscribe', all, limits)
  }

  next(snapshot: Snapshot): DeltaDiscoveryResponse | undefined {
    const { updates, removals } = this.#options.order
    return (
      this.#first(updates, snapshot, (subscription, map) => subscription.updates(map)) ??
      this.#first(removals, snapshot, (subscription, map) => subscription.removals(map))
    )
  }

  // An empty nonce is a change of subscriptions; one that is not known belongs to a response long past.
  #settle(typeUrl: string, { responseNonce, errorDetail }: DeltaDiscoveryRequest): void {
    const response = this.#unanswered.get(responseNonce)
    this.#unanswered.delete(responseNonce)
    if (errorDetail !== undefined) this.#options.events.rejected(typeUrl, errorDetail.message, response?.names ?? [])
    else if (response !== undefined) this.#options.events.accepted(response.typeUrl, response.versions)
  }

  #first(
    types: readonly string[],
    snapshot: Snapshot,
    compare: (subscription: DeltaSubscription, map: ResourceMap) => Changes | undefined
  ): DeltaDiscoveryResponse | undefined {
    for (const typeUrl of types) {
      const subscription = this.#subscriptions.get(typeUrl)
      const map = snapshot.types.get(typeUrl)
      if (subscription === undefined || map === undefined) continue
      const changes = compare(subscription, map)
      if (changes !== undefined) return this.#respond(typeUrl, changes, versionOf(map))
    }
    return undefined
  }

  #respond(typeUrl: string, { resources, removed }: Changes, systemVersionInfo: string): DeltaDiscoveryResponse {
    this.#responses += 1
    const nonce = String(this.#responses)
    const versions = new Map(resources.map(({ name, version }) => [name, version]))
    this.#unanswered.set(nonce, { typeUrl, versions, names: [...versions.keys(), ...removed] })
    const [oldest] = this.#unanswered.keys()
    if (this.#unanswered.size > MOST_UNANSWERED && oldest !== undefined) this.#unanswered.delete(oldest)
    return create(DeltaDiscoveryResponseSchema, {
      typeUrl,
      nonce,
      systemVersionInfo,
      resources: resources.map(({ name, version, value }) => ({ name, version, resource: { typeUrl, value } })),
      removedResources: [...removed]
    })
  }
}
