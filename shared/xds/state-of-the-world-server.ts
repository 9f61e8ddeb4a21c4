import { create } from '@bufbuild/protobuf'
import {
  type DiscoveryRequest,
  type DiscoveryResponse,
  DiscoveryResponseSchema
} from '../proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { checkNames, checkRemembered } from './limits.ts'
import type { Snapshot } from './resource.ts'
import { type DiscoveryServer, type DiscoveryServerOptions, requestedType } from './server.ts'
import { StateOfTheWorldSubscription, type World } from './state-of-the-world-subscription.ts'

interface Stream {
  readonly subscription: StateOfTheWorldSubscription
  /** Of the last response; undefined before the first. */
  nonce: string | undefined
  /** Whether the client accepted or refused that response. */
  answered: boolean
}

/**
 * One state-of-the-world stream, seen from the server: each response holds everything that the client asked for of
 * one type and that exists. A name that does not exist is left out (this variant has no way to say so), and the
 * stream goes on.
 *
 * - A request whose nonce is not that of the last response of its type is stale, and ignored.
 * - A refused response is not sent again until what it would say is something else.
 *
 * Source: "xDS REST and gRPC protocol", sections "ACK/NACK and resource type instance version" and "Resource updates".
 */
export class StateOfTheWorldServer implements DiscoveryServer<DiscoveryRequest, DiscoveryResponse> {
  readonly #options: DiscoveryServerOptions
  readonly #streams = new Map<string, Stream>()
  #responses = 0

  constructor(options: DiscoveryServerOptions) {
    this.#options = options
  }

  receive(request: DiscoveryRequest): void {
    const typeUrl = requestedType(request.typeUrl, this.#options)
    if (typeUrl === undefined) return
    const { limits } = this.#options
    checkNames('resource_names', request.resourceNames, limits)

    const stream = this.#streams.get(typeUrl) ?? {
      subscription: new StateOfTheWorldSubscription(),
      nonce: undefined,
      answered: true
    }
    this.#streams.set(typeUrl, stream)
    if (stream.nonce !== undefined && stream.nonce !== request.responseNonce) return
    this.#settle(typeUrl, request, stream)
    stream.subscription.ask(request.resourceNames)
    const all = [...this.#streams.values()].map(({ subscription }) => subscription.remembered)
    checkRemembered('resource_names', all, limits)
  }

  next(snapshot: Snapshot): DiscoveryResponse | undefined {
    for (const typeUrl of this.#options.order.updates) {
      const stream = this.#streams.get(typeUrl)
      const map = snapshot.types.get(typeUrl)
      if (stream === undefined || map === undefined) continue
      const world = stream.subscription.answer(map)
      if (world !== undefined) return this.#respond(typeUrl, stream, world)
    }
    return undefined
  }

  // One response is answered once; further requests with its nonce only change the names.
  #settle(typeUrl: string, { errorDetail }: DiscoveryRequest, stream: Stream): void {
    const sent = stream.subscription.last
    if (stream.answered || sent === undefined) return
    stream.answered = true
    const { events } = this.#options
    if (errorDetail !== undefined) events.rejected(typeUrl, errorDetail.message, [...sent.resources.keys()])
    else events.accepted(typeUrl, new Map([...sent.resources.values()].map(({ name, version }) => [name, version])))
  }

  #respond(typeUrl: string, stream: Stream, { version, resources }: World): DiscoveryResponse {
    this.#responses += 1
    stream.nonce = String(this.#responses)
    stream.answered = false
    return create(DiscoveryResponseSchema, {
      typeUrl,
      nonce: stream.nonce,
      versionInfo: version,
      resources: [...resources.values()].map(({ value }) => ({ typeUrl, value }))
    })
  }
}

/**
 * The answer to a single request outside any stream (FetchSecrets), or undefined when its type is withheld.
 *
 * @throws CountersignError ERR_DISCOVERY_REQUEST_INVALID
 */
export function fetchOnce(
  request: DiscoveryRequest,
  snapshot: Snapshot,
  options: DiscoveryServerOptions
): DiscoveryResponse | undefined {
  const server = new StateOfTheWorldServer(options)
  server.receive(request)
  return server.next(snapshot)
}
