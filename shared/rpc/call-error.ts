import { type ServiceError, status } from '@grpc/grpc-js'
import { CountersignError, type ErrorCode } from '../errors/index.ts'

// Codes by which a server says no to what was asked. All others mean that there was no answer worth the name.
const REFUSALS: ReadonlySet<status> = new Set([
  status.INVALID_ARGUMENT,
  status.UNAUTHENTICATED,
  status.PERMISSION_DENIED,
  status.FAILED_PRECONDITION
])

/** What a failed call to the authority means: ERR_AUTHORITY_REFUSED or ERR_AUTHORITY_UNAVAILABLE. */
export function callError(error: ServiceError): CountersignError {
  const code: ErrorCode = REFUSALS.has(error.code) ? 'ERR_AUTHORITY_REFUSED' : 'ERR_AUTHORITY_UNAVAILABLE'
  const message = `the call ended with ${status[error.code]}: ${error.details}`
  return new CountersignError(code, message, { cause: error, facts: { status: status[error.code] } })
}
