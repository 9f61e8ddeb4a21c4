import { CountersignError } from '../../shared/errors/index.ts'
import type { ClientStream, ClientStreamHandlers, StreamTransport } from '../../shared/xds/index.ts'

/** What becomes of the streams. */
export interface StreamObserver {
  /** The server is heard on a stream for the first time. */
  readonly onAnswered: () => void
  /** A stream that had been answered is over. */
  readonly onLost: () => void
  /** A stream ended without any answer. */
  readonly onUnanswered: () => void
}

/** A transport whose open stream can be ended from outside, so that its client opens another, and which is observed. */
export class ReplaceableTransport<Request, Response> implements StreamTransport<Request, Response> {
  readonly #transport: StreamTransport<Request, Response>
  readonly #observer: StreamObserver
  #replaceOpen: (() => void) | undefined

  constructor(transport: StreamTransport<Request, Response>, observer: StreamObserver) {
    this.#transport = transport
    this.#observer = observer
  }

  open({ onMessage, onEnd }: ClientStreamHandlers<Response>): ClientStream<Request> {
    let answered = false
    const over = (): void => {
      this.#replaceOpen = undefined
      if (answered) this.#observer.onLost()
    }
    const stream = this.#openObserved({
      onMessage: response => {
        const first = !answered
        answered = true
        // The response is taken first: whoever hears of the answer finds what it said.
        onMessage(response)
        if (first) this.#observer.onAnswered()
      },
      onEnd: error => {
        over()
        if (!answered) this.#observer.onUnanswered()
        onEnd(error)
      }
    })
    this.#replaceOpen = () => {
      stream.close()
      over()
      onEnd(new CountersignError('ERR_AUTHORITY_UNAVAILABLE', 'the credentials of the stream were replaced'))
    }
    return {
      send: request => stream.send(request),
      close: () => {
        stream.close()
        over()
      }
    }
  }

  /** Ends the open stream, if there is one. */
  replace(): void {
    this.#replaceOpen?.()
  }

  #openObserved(handlers: ClientStreamHandlers<Response>): ClientStream<Request> {
    try {
      return this.#transport.open(handlers)
    } catch (thrown) {
      this.#observer.onUnanswered()
      throw thrown
    }
  }
}
