import { CountersignError } from '../errors/index.ts'
import type { SnapshotSource } from './resource.ts'
import type { DiscoveryServer } from './server.ts'

/** What is needed of a server's side of a gRPC stream; grpc-js has exactly this. */
export interface StreamCall<Request, Response> {
  on(event: 'data', listener: (request: Request) => void): unknown
  on(event: 'end' | 'cancelled' | 'close', listener: () => void): unknown
  write(response: Response, flushed: () => void): unknown
  end(): unknown
}

export interface ServeStreamOptions<Request, Response> {
  readonly call: StreamCall<NoInfer<Request>, NoInfer<Response>>
  readonly server: DiscoveryServer<Request, Response>
  readonly source: SnapshotSource
  /** Ends the call with the status that fits the error. */
  readonly fail: (error: CountersignError) => void
  readonly onSent?: (response: Response) => void
  /** Called once, when the stream is over, with the error that ended it if there was one. */
  readonly onClosed: (error: CountersignError | undefined) => void
}

/**
 * Runs one discovery stream: requests in, responses out, whenever the client or the source has something new.
 *
 * At most one response is on its way at any time. While the client does not read, nothing queues up: what changes
 * meanwhile is merged, and only the newest snapshot is sent once the client has taken what is on its way.
 */
export function serveStream<Request, Response>(options: ServeStreamOptions<Request, Response>): void {
  const { call, server, source, fail, onSent, onClosed } = options
  let closed = false
  let writing = false

  const close = (error?: CountersignError): void => {
    if (closed) return
    closed = true
    unsubscribe()
    onClosed(error)
  }
  const guarded = (step: () => void): void => {
    if (closed) return
    try {
      step()
    } catch (thrown) {
      const error = CountersignError.from(thrown)
      close(error)
      fail(error)
    }
  }
  const pump = (): void =>
    guarded(() => {
      if (writing) return
      const response = server.next(source.current())
      if (response === undefined) return
      writing = true
      call.write(response, () => {
        writing = false
        pump()
      })
      onSent?.(response)
    })

  const unsubscribe = source.subscribe(pump)
  call.on('data', request =>
    guarded(() => {
      server.receive(request)
      pump()
    })
  )
  call.on('end', () => {
    if (!closed) call.end()
    close()
  })
  call.on('cancelled', () => close())
  call.on('close', () => close())
}
