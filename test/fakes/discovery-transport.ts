import { CountersignError } from '../../shared/errors/index.ts'
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse
} from '../../shared/proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import type { ClientStream, ClientStreamHandlers, StreamTransport } from '../../shared/xds/index.ts'

/** One stream that a client opened, seen from the server. */
export class FakeDiscoveryStream implements ClientStream<DeltaDiscoveryRequest> {
  readonly requests: DeltaDiscoveryRequest[] = []
  readonly #handlers: ClientStreamHandlers<DeltaDiscoveryResponse>
  #open = true

  constructor(handlers: ClientStreamHandlers<DeltaDiscoveryResponse>) {
    this.#handlers = handlers
  }

  get open(): boolean {
    return this.#open
  }

  send(request: DeltaDiscoveryRequest): void {
    if (!this.#open) throw new Error('the stream is closed')
    this.requests.push(request)
  }

  close(): void {
    this.#open = false
  }

  /** What a broken network may deliver, late messages on a closed stream included. */
  deliver(response: DeltaDiscoveryResponse): void {
    this.#handlers.onMessage(response)
  }

  lose(): void {
    this.#open = false
    this.#handlers.onEnd(new CountersignError('ERR_AUTHORITY_UNAVAILABLE', 'the connection is lost'))
  }
}

/** Keeps every stream that was opened; refuses to open one while `down`. */
export class FakeDiscoveryTransport implements StreamTransport<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  readonly streams: FakeDiscoveryStream[] = []
  down = false
  attempts = 0

  open(handlers: ClientStreamHandlers<DeltaDiscoveryResponse>): FakeDiscoveryStream {
    this.attempts += 1
    if (this.down) throw new Error('connection refused')
    const stream = new FakeDiscoveryStream(handlers)
    this.streams.push(stream)
    return stream
  }

  /** The newest stream. */
  get stream(): FakeDiscoveryStream {
    const stream = this.streams.at(-1)
    if (stream === undefined) throw new Error('no stream was opened')
    return stream
  }
}
