import type { Clock } from '../clock/index.ts'
import { CountersignError } from '../errors/index.ts'
import type { Logger } from '../log/index.ts'
import type { DiscoveryObserver } from './observer.ts'
import { QuietLog } from './quiet-log.ts'
import type { SnapshotSource } from './resource.ts'
import { type StreamCall, serveStream } from './serve-stream.ts'
import type { DiscoveryEvents, DiscoveryServer } from './server.ts'

export interface PeerStreamsOptions {
  /** What a peer is told; undefined when nobody (any more) is behind that name. May throw a refusal. */
  readonly source: (peer: string) => SnapshotSource | undefined
  readonly observer: DiscoveryObserver
  readonly clock: Clock
  readonly log: Logger
  /** Most streams of one peer at one time. */
  readonly maxStreams: number
}

export interface PeerStream<Request, Response> {
  readonly peer: string
  readonly method: string
  readonly call: StreamCall<NoInfer<Request>, NoInfer<Response>>
  readonly server: DiscoveryServer<Request, Response>
  /** Ends the call with the status that fits the error. */
  readonly fail: (error: CountersignError) => void
}

// Of a peer's own text, in the log.
const LONGEST_MESSAGE = 1024
const MOST_NAMES = 20

/**
 * The discovery streams of many peers: each gets what its own source says, and no more streams than allowed. What
 * happens on them goes to the observer, and what goes wrong to the log, once a minute for each peer and reason.
 */
export class PeerStreams {
  readonly #options: PeerStreamsOptions
  readonly #quiet: QuietLog
  readonly #open = new Map<string, number>()

  constructor(options: PeerStreamsOptions) {
    this.#options = options
    this.#quiet = new QuietLog(options.clock)
  }

  /** Serves one stream until it ends. Never throws: what goes wrong ends the stream. */
  serve<Request, Response extends { readonly typeUrl: string }>(stream: PeerStream<Request, Response>): void {
    const { peer, method, call, server, fail } = stream
    const { observer } = this.#options
    try {
      const source = this.sourceOf(peer)
      this.#take(peer)
      observer.onStreamOpened(peer, method)
      serveStream({
        call,
        server,
        source,
        fail,
        onSent: ({ typeUrl }) => observer.onSent(peer, typeUrl),
        onClosed: error => {
          this.#give(peer)
          observer.onStreamClosed(peer, method)
          if (error !== undefined) this.complain(peer, method, error)
        }
      })
    } catch (thrown) {
      const error = CountersignError.from(thrown)
      this.complain(peer, method, error)
      fail(error)
    }
  }

  /** @throws CountersignError ERR_DISCOVERY_UNAVAILABLE when there is none, or what the source throws */
  sourceOf(peer: string): SnapshotSource {
    const source = this.#options.source(peer)
    if (source === undefined)
      throw new CountersignError('ERR_DISCOVERY_UNAVAILABLE', `nobody is known by the name ${JSON.stringify(peer)}`)
    return source
  }

  /** What a peer's server is to call. */
  eventsOf(peer: string): DiscoveryEvents {
    const { observer, log } = this.#options
    return {
      accepted: (typeUrl, versions) => {
        observer.onAccepted(peer, typeUrl, versions)
        log.debug({ peer, type: typeUrl, resources: versions.size }, 'resources are accepted')
      },
      rejected: (typeUrl, text, names) => {
        const message = text.slice(0, LONGEST_MESSAGE)
        observer.onRejected(peer, typeUrl, message)
        const resources = names.slice(0, MOST_NAMES)
        this.#quiet.once(`rejected ${peer} ${typeUrl}`, facts =>
          log.warn({ peer, type: typeUrl, message, resources, ...facts }, 'resources are refused by the peer')
        )
      },
      ignored: typeUrl =>
        log.debug({ peer, type: typeUrl.slice(0, LONGEST_MESSAGE) }, 'a type is asked for that is not served')
    }
  }

  /** Logs what ended a call. */
  complain(peer: string, method: string, err: CountersignError): void {
    const level = err.code === 'ERR_INTERNAL' ? 'error' : 'warn'
    this.#quiet.once(`${err.code} ${peer} ${method}`, facts =>
      this.#options.log[level]({ err, peer, method, ...facts }, 'a discovery call ended with an error')
    )
  }

  #take(peer: string): void {
    const open = this.#open.get(peer) ?? 0
    const { maxStreams } = this.#options
    if (open >= maxStreams)
      throw new CountersignError(
        'ERR_DISCOVERY_UNAVAILABLE',
        `the peer has ${open} streams, at most ${maxStreams} are allowed`
      )
    this.#open.set(peer, open + 1)
  }

  #give(peer: string): void {
    const left = (this.#open.get(peer) ?? 0) - 1
    if (left > 0) this.#open.set(peer, left)
    else this.#open.delete(peer)
  }
}
