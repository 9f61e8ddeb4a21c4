import type { DiscoveryLimits } from './limits.ts'
import { invalidRequest } from './limits.ts'
import type { PushOrder } from './push-order.ts'
import type { Snapshot } from './resource.ts'

/**
 * One stream of a discovery server, whichever variant of the protocol it speaks. It is pulled, never pushed: every
 * response is computed from what the client asked for, what it was sent, and the snapshot of that moment. A client
 * that reads slowly is therefore sent the newest state and none of those in between.
 */
export interface DiscoveryServer<Request, Response> {
  /** @throws CountersignError ERR_DISCOVERY_REQUEST_INVALID when the stream cannot go on */
  receive(request: Request): void
  /** The next response that is due, or undefined when there is none. The response counts as sent. */
  next(snapshot: Snapshot): Response | undefined
}

/** What a client says about what it was sent. */
export interface DiscoveryEvents {
  /** The client accepted one response: the names and versions of the resources that were in it. */
  accepted(typeUrl: string, versions: ReadonlyMap<string, string>): void
  /** The client refused one response. `message` is the client's own text; `names` are those of that response. */
  rejected(typeUrl: string, message: string, names: readonly string[]): void
  /** The client asked for a type that is not served; it gets no answer. */
  ignored(typeUrl: string): void
}

export interface DiscoveryServerOptions {
  readonly order: PushOrder
  /** Whether this is the service of one type: then requests may leave the type out and must not name another. */
  readonly singleType: boolean
  readonly events: DiscoveryEvents
  readonly limits: DiscoveryLimits
}

/**
 * The type that a request is about, or undefined when it is one that is not served.
 *
 * @throws CountersignError ERR_DISCOVERY_REQUEST_INVALID when type_url is missing on an aggregated stream (it is
 * required there), or is another than the one type of the service
 */
export function requestedType(typeUrl: string, options: DiscoveryServerOptions): string | undefined {
  const { order, singleType, events } = options
  const [only] = order.updates
  if (singleType) {
    if (typeUrl !== '' && typeUrl !== only)
      throw invalidRequest(`type_url ${JSON.stringify(typeUrl.slice(0, 200))} is not served here, expected ${only}`)
    return only
  }
  if (typeUrl === '') throw invalidRequest('type_url is empty, an aggregated stream needs one')
  if (order.updates.includes(typeUrl)) return typeUrl
  events.ignored(typeUrl)
  return undefined
}
