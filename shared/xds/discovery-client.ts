import type { Clock, Random } from '../clock/index.ts'
import { CountersignError } from '../errors/index.ts'
import type { Logger } from '../log/index.ts'
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse
} from '../proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import { Backoff, type BackoffOptions } from './backoff.ts'
import { ClientState } from './client-state.ts'
import type { Resource, Snapshot, SnapshotSource } from './resource.ts'
import type { ResourceType } from './resource-type.ts'
import type { ClientStream, StreamTransport } from './transport.ts'

export interface DiscoveryClientOptions {
  /** Every resource of each of these types is subscribed to. */
  readonly types: readonly ResourceType<unknown>[]
  readonly transport: StreamTransport<DeltaDiscoveryRequest, DeltaDiscoveryResponse>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Waits between streams; 0.5 s growing to 15 s unless given. */
  readonly backoff?: BackoffOptions
  /** What was kept in an earlier life; known at once, and not sent again if it is still right. */
  readonly restored?: Iterable<Resource>
}

const DEFAULT_BACKOFF: BackoffOptions = { firstMs: 500, longestMs: 15_000 }
// For the first answer of a stream, which a server gives at once: a connection that is made just when its server ends can
// stay open and silent (Node.js 24 over TLS, seen), and keepalive needs longer. Growing, as a server may be overrun.
const PATIENCE: BackoffOptions = { firstMs: 10_000, longestMs: 60_000 }
// Of one response, in the log.
const MOST_REASONS = 10

type Connection =
  | { readonly kind: 'idle' }
  | {
      readonly kind: 'open'
      readonly stream: ClientStream<DeltaDiscoveryRequest>
      readonly cancelPatience: () => void
      answered: boolean
    }
  | { readonly kind: 'waiting'; readonly cancel: () => void }
  | { readonly kind: 'closed' }

/**
 * A delta discovery client that never gives up: it keeps the state of its types over lost streams, and resumes with
 * the versions that it has. Its own snapshot can be served on or persisted; a type is absent from it until the
 * server has answered, or until something of it was restored.
 */
export class DiscoveryClient implements SnapshotSource {
  readonly #options: DiscoveryClientOptions
  readonly #state: ClientState
  readonly #backoff: Backoff
  readonly #patience: Backoff
  readonly #synced = new Set<string>()
  readonly #listeners = new Set<() => void>()
  #snapshot: Snapshot
  #connection: Connection = { kind: 'idle' }

  constructor(options: DiscoveryClientOptions) {
    this.#options = options
    this.#state = new ClientState(options.types)
    this.#state.restore(options.restored ?? [])
    this.#snapshot = { types: this.#state.resources }
    this.#backoff = new Backoff(options.backoff ?? DEFAULT_BACKOFF, options.random)
    this.#patience = new Backoff(PATIENCE, options.random)
  }

  /** Opens the first stream. Calling it again does nothing. */
  start(): void {
    if (this.#connection.kind === 'idle') this.#open()
  }

  close(): void {
    if (this.#connection.kind === 'open') {
      this.#connection.cancelPatience()
      this.#connection.stream.close()
    }
    if (this.#connection.kind === 'waiting') this.#connection.cancel()
    this.#connection = { kind: 'closed' }
    this.#listeners.clear()
  }

  current(): Snapshot {
    return this.#snapshot
  }

  /** Called after each response that changed something, and when a type becomes synced. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * The resources of one type, decoded, by name. Another map after each change.
   *
   * @throws TypeError when the type is not one of those subscribed to
   */
  messages<T>(type: ResourceType<T>): ReadonlyMap<string, T> {
    return this.#state.messages(type)
  }

  /** Whether the server has answered for this type since this client was made. What was restored may be older. */
  synced(type: ResourceType<unknown>): boolean {
    return this.#synced.has(type.typeUrl)
  }

  /** Whether there is a stream on which the server has answered. */
  get connected(): boolean {
    return this.#connection.kind === 'open' && this.#connection.answered
  }

  #open(): void {
    // A stream that is not the current one any more must not touch the state.
    let stream: ClientStream<DeltaDiscoveryRequest> | undefined
    let over = false
    const end = (error: CountersignError): void => {
      if (over) return
      over = true
      this.#reopenLater(error)
    }
    try {
      stream = this.#options.transport.open({
        onMessage: response => {
          if (!over) this.#receive(response)
        },
        onEnd: end
      })
      if (over) return
      const opened = stream
      const patienceMs = this.#patience.nextMs()
      const cancelPatience = this.#options.clock.after(patienceMs, () => {
        opened.close()
        end(new CountersignError('ERR_AUTHORITY_UNAVAILABLE', `no answer within ${Math.round(patienceMs / 1_000)} s`))
      })
      this.#connection = { kind: 'open', stream, cancelPatience, answered: false }
      for (const request of this.#state.opening()) stream.send(request)
    } catch (thrown) {
      stream?.close()
      end(CountersignError.from(thrown, 'ERR_AUTHORITY_UNAVAILABLE', 'the stream cannot be opened'))
    }
  }

  #reopenLater(err: CountersignError): void {
    if (this.#connection.kind === 'closed') return
    if (this.#connection.kind === 'open') this.#connection.cancelPatience()
    const waitMs = this.#backoff.nextMs()
    // Servers end old connections on purpose; only a stream that never got an answer is a sign of trouble.
    const level = this.connected ? 'info' : 'warn'
    this.#options.log[level]({ err, waitMs }, 'discovery stream ended; the last state stays in use')
    const cancel = this.#options.clock.after(waitMs, () => this.#open())
    this.#connection = { kind: 'waiting', cancel }
  }

  #receive(response: DeltaDiscoveryResponse): void {
    const connection = this.#connection
    if (connection.kind !== 'open') return
    connection.answered = true
    connection.cancelPatience()
    this.#patience.reset()
    // Only an answer proves that the server is well; a connection that is accepted and dropped does not.
    this.#backoff.reset()
    const { reply, typeUrl, known, changed, refused } = this.#state.take(response)
    if (refused.length > 0) {
      const reasons = refused.slice(0, MOST_REASONS).map(({ name, reason }) => `${name}: ${reason}`)
      this.#options.log.warn({ type: typeUrl, refused: refused.length, reasons }, 'resources are refused')
    }
    const first = known && !this.#synced.has(typeUrl)
    if (first) this.#synced.add(typeUrl)
    if (changed) this.#snapshot = { types: this.#state.resources }
    // Listeners first: what is acknowledged is in use.
    if (changed || first) for (const listener of [...this.#listeners]) listener()
    if (this.#connection === connection) connection.stream.send(reply)
  }
}
