import type { DescMessage, DescMethodUnary, MessageShape } from '@bufbuild/protobuf'
import type { Client } from '@grpc/grpc-js'
import { callError } from './call-error.ts'
import { methodDefinition } from './service.ts'

export interface UnaryCallOptions {
  /** The answer must be there within this time. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

/**
 * One call with one answer.
 *
 * @throws CountersignError ERR_AUTHORITY_REFUSED, ERR_AUTHORITY_UNAVAILABLE
 */
export function unaryCall<Input extends DescMessage, Output extends DescMessage>(
  client: Client,
  method: DescMethodUnary<Input, Output>,
  request: MessageShape<Input>,
  { timeoutMs, signal }: UnaryCallOptions
): Promise<MessageShape<Output>> {
  const { path, requestSerialize, responseDeserialize } = methodDefinition(method)
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest<MessageShape<Input>, MessageShape<Output>>(
      path,
      requestSerialize as (request: MessageShape<Input>) => Buffer,
      responseDeserialize as (bytes: Buffer) => MessageShape<Output>,
      request,
      { deadline: Date.now() + timeoutMs },
      (error, response) => {
        signal?.removeEventListener('abort', cancel)
        if (error !== null) reject(callError(error))
        else resolve(response as MessageShape<Output>)
      }
    )
    const cancel = (): void => call.cancel()
    if (signal?.aborted) cancel()
    signal?.addEventListener('abort', cancel, { once: true })
  })
}
