import { Protocol } from '../proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { Claim } from './claims.ts'

/** The protocol that a port is taken to speak. */
export interface HeldProtocol {
  readonly protocol: Protocol
  /** The field and the object that declare it, for people. */
  readonly reason: string
}

const NOTHING_DECLARED: HeldProtocol = { protocol: Protocol.UNSPECIFIED, reason: 'nothing says what is spoken' }

/**
 * The protocol of a port, where several objects may declare it. HTTP holds over everything else, so that no declaration
 * turns HTTP into bytes that nobody checks; HTTP2 only where every declaration of HTTP is HTTP2. Among others, where
 * policies on end users are enforced on the port, one that declares nothing holds over TCP and TLS: such a port carries
 * HTTP only. Where none are enforced, the first declaration holds.
 *
 * @param isChecked whether a policy on end users is enforced on the port
 */
export function heldProtocol(claims: readonly Claim[], isChecked: boolean): HeldProtocol {
  const http = claims.filter(({ protocol }) => protocol === Protocol.HTTP || protocol === Protocol.HTTP2)
  if (http.length > 0) return held(http.find(({ protocol }) => protocol === Protocol.HTTP) ?? http[0])
  const undeclared = claims.find(({ protocol = Protocol.UNSPECIFIED }) => protocol === Protocol.UNSPECIFIED)
  if (isChecked && undeclared !== undefined) return held(undeclared)
  return held(claims.find(({ protocol }) => protocol !== undefined))
}

function held(claim: Claim | undefined): HeldProtocol {
  if (claim?.protocol === undefined) return NOTHING_DECLARED
  return { protocol: claim.protocol, reason: `${claim.field} of ${claim.object}` }
}
