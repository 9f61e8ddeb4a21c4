import { status } from '@grpc/grpc-js'
import type { CountersignError, ErrorCode } from '../errors/index.ts'

interface Told {
  readonly code: status
  readonly details: string
}

// What a peer is told. Refusals share one sentence: which check failed would help whoever is guessing.
const REFUSED: Told = {
  code: status.PERMISSION_DENIED,
  details: 'the request was refused; the reason is in the log of the authority'
}
const INTERNAL: Told = { code: status.INTERNAL, details: 'internal error' }
const UNAVAILABLE: Told = { code: status.UNAVAILABLE, details: 'not available at present' }

const TOLD: Partial<Record<ErrorCode, Told>> = {
  ERR_CSR_REFUSED: REFUSED,
  ERR_TOKEN_REFUSED: REFUSED,
  ERR_CALLER_REFUSED: REFUSED,
  ERR_RENEWAL_REFUSED: REFUSED,
  // The caller has proved who it is by then: this tells nothing to whoever is guessing.
  ERR_POD_NOT_ENROLLED: {
    code: status.PERMISSION_DENIED,
    details: 'the pod is not enrolled: label its namespace countersign.dev/inject=enabled and create the pod again'
  },
  ERR_POD_BELOW_FLOOR: {
    code: status.PERMISSION_DENIED,
    details:
      'the pod excludes ports or interfaces from its proxy, which the floor of its namespace does not allow: remove the annotations and create the pod again'
  },
  ERR_DISCOVERY_REQUEST_INVALID: { code: status.INVALID_ARGUMENT, details: 'the discovery request is not valid' },
  ERR_DISCOVERY_UNAVAILABLE: UNAVAILABLE,
  ERR_AUTHORITY_UNAVAILABLE: UNAVAILABLE
}

/** The gRPC status for an error: a code and a fixed sentence, never the error's own message. */
export function statusOf(error: CountersignError): Told {
  return TOLD[error.code] ?? INTERNAL
}
