import { type handleUnaryCall, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import { CountersignError, type ErrorCode } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import type { CallObserver } from './call-metrics.ts'

export interface HandlerContext {
  readonly observer: CallObserver
  readonly log: Logger
}

// Callers are the kubelet and the agent of this node, which show the message to whoever looks after the pod: it names
// fields and never quotes a token.
const STATUS: Partial<Record<ErrorCode, status>> = {
  ERR_VOLUME_REFUSED: status.INVALID_ARGUMENT,
  ERR_VOLUME_UNAVAILABLE: status.UNAVAILABLE,
  ERR_CAPTURE_REFUSED: status.FAILED_PRECONDITION,
  ERR_CAPTURE_FAILED: status.UNAVAILABLE,
  ERR_POD_NOT_FOUND: status.NOT_FOUND
}
const UNFORESEEN = 'something unforeseen happened; the log of container node tells what'

/**
 * A handler of grpc-js out of a function. What it throws is logged and becomes a status: of our own errors the one in
 * the table with their message, of everything else UNAVAILABLE, so that the caller tries again.
 */
export function unaryHandler<Request, Response>(
  method: string,
  answer: (request: Request) => Response | Promise<Response>,
  { observer, log }: HandlerContext
): handleUnaryCall<Request, Response> {
  return (call: ServerUnaryCall<Request, Response>, done: sendUnaryData<Response>) => {
    const finish = observer.started(method)
    // In a function of its own, so that what is thrown at once is a rejection as well.
    const answered = (async () => answer(call.request))()
    answered.then(
      response => {
        finish(status.OK)
        done(null, response)
      },
      thrown => {
        const err = CountersignError.from(thrown)
        const code = STATUS[err.code]
        finish(code ?? status.UNAVAILABLE)
        // Refusals are what the caller asked for; what is tried again should have worked.
        log[code === undefined || code === status.UNAVAILABLE ? 'error' : 'warn']({ err, method }, 'a call failed')
        done({ code: code ?? status.UNAVAILABLE, details: code === undefined ? UNFORESEEN : err.message })
      }
    )
  }
}
