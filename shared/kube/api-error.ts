import { CountersignError, type Facts } from '../errors/index.ts'
import { record, stringIn } from './object.ts'

// The message of a Status repeats what was sent when that is refused; this much tells why.
const LONGEST_MESSAGE = 300
const TOO_MANY_REQUESTS = 429
const FIRST_SERVER_ERROR = 500

/** The request that failed, for the message. */
export interface Asked {
  readonly method: string
  readonly path: string
}

/** The API server did not answer, or not to the end. */
export function unanswered({ method, path }: Asked, thrown: unknown): CountersignError {
  if (thrown instanceof CountersignError) return thrown
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  return new CountersignError('ERR_KUBERNETES_UNAVAILABLE', `${method} ${path}: ${reason}`, {
    cause: thrown,
    facts: { method, path }
  })
}

/**
 * The API server answered that it did not do it: `facts.status` is the HTTP status, `facts.reason` that of the Status
 * object (Kubernetes, meta/v1 Status), `facts.retryAfterSeconds` when it said how long to wait.
 */
export function refused({ method, path }: Asked, status: number, body: unknown, retryAfter?: string): CountersignError {
  const answer = record(body)
  const message = (stringIn(answer, 'message') ?? 'no reason given').slice(0, LONGEST_MESSAGE)
  const reason = stringIn(answer, 'reason')
  const seconds = Number(retryAfter ?? record(answer?.['details'])?.['retryAfterSeconds'])
  const facts: Facts = {
    method,
    path,
    status,
    ...(reason === undefined ? {} : { reason }),
    ...(Number.isFinite(seconds) && seconds > 0 ? { retryAfterSeconds: seconds } : {})
  }
  const passing = status === TOO_MANY_REQUESTS || status >= FIRST_SERVER_ERROR
  return new CountersignError(
    passing ? 'ERR_KUBERNETES_UNAVAILABLE' : 'ERR_KUBERNETES_REFUSED',
    `${method} ${path}: status ${status}: ${message}`,
    { facts }
  )
}

/** The HTTP status with which the API server answered; undefined when it did not answer, or it is another error. */
export function statusOf(thrown: unknown): number | undefined {
  if (!(thrown instanceof CountersignError) || !thrown.code.startsWith('ERR_KUBERNETES_')) return undefined
  const status = thrown.facts['status']
  return typeof status === 'number' ? status : undefined
}
