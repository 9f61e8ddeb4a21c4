import type { CountersignError } from '../errors/index.ts'

/** One open stream, seen from the client. */
export interface ClientStream<Request> {
  send(request: Request): void
  /** Ends the stream; the handlers are not called any more. */
  close(): void
}

export interface ClientStreamHandlers<Response> {
  readonly onMessage: (response: Response) => void
  /** Called at most once, with the reason; the stream is over. */
  readonly onEnd: (error: CountersignError) => void
}

/** How a client gets a stream to its server. Opening may throw; that counts as a stream that ended at once. */
export interface StreamTransport<Request, Response> {
  open(handlers: ClientStreamHandlers<Response>): ClientStream<Request>
}
