import type { DescMessage, DescMethodBiDiStreaming, MessageShape } from '@bufbuild/protobuf'
import type { Client, ServiceError } from '@grpc/grpc-js'
import { CountersignError } from '../errors/index.ts'
import { callError } from './call-error.ts'
import { methodDefinition } from './service.ts'

interface Handlers<Response> {
  readonly onMessage: (response: Response) => void
  /** Called at most once, with the reason; the stream is over. */
  readonly onEnd: (error: CountersignError) => void
}

interface Stream<Request> {
  send(request: Request): void
  close(): void
}

// grpc-js has no limit of its own, and the kernel's is two minutes: where the pod behind a Service is just gone, nobody
// answers at all, and another attempt finds another pod.
const CONNECT_TIMEOUT_MS = 10_000

/**
 * Opens streams of one method. Every stream gets a client of its own, which is closed with it: so it has the
 * certificate and the roots of that moment, and the waits between attempts are the caller's alone, not those of a
 * channel that remembers its last failure. One that is not connected within `connectTimeoutMs` is over.
 */
export function bidiTransport<Input extends DescMessage, Output extends DescMessage>(
  method: DescMethodBiDiStreaming<Input, Output>,
  connect: () => Client,
  connectTimeoutMs = CONNECT_TIMEOUT_MS
): { open(handlers: Handlers<MessageShape<Output>>): Stream<MessageShape<Input>> } {
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method)
  return {
    open({ onMessage, onEnd }) {
      const client = connect()
      const call = client.makeBidiStreamRequest<MessageShape<Input>, MessageShape<Output>>(
        path,
        requestSerialize as (request: MessageShape<Input>) => Buffer,
        responseDeserialize as (bytes: Buffer) => MessageShape<Output>
      )
      let over = false
      const end = (error?: CountersignError): void => {
        if (over) return
        over = true
        client.close()
        if (error !== undefined) onEnd(error)
      }
      client.waitForReady(Date.now() + connectTimeoutMs, error => {
        if (error === undefined) return
        end(new CountersignError('ERR_AUTHORITY_UNAVAILABLE', `no connection within ${connectTimeoutMs / 1_000} s`))
      })
      call.on('data', message => {
        if (!over) onMessage(message)
      })
      // Every status but OK comes as an error, which must not go unheard.
      call.on('error', error => end(callError(error as ServiceError)))
      call.on('status', () => end(new CountersignError('ERR_AUTHORITY_UNAVAILABLE', 'the server ended the stream')))
      return {
        send(request) {
          if (!over) call.write(request)
        },
        close() {
          end()
          call.cancel()
        }
      }
    }
  }
}
