import { Protocol } from '../proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { ClaimedPort } from './claims.ts'
import type { HeldProtocol } from './held-protocol.ts'

/** A contradiction about one port, as one of the objects concerned is told. */
export interface PortConflict {
  /** `Service shop/orders` */
  readonly object: string
  readonly message: string
}

/**
 * Contradictions about a port, told of every Service concerned: of those whose declaration does not hold, and of those
 * that declare what holds. Empty where everything that is declared holds.
 */
export function portConflicts({ number, claims }: ClaimedPort, { protocol }: HeldProtocol): readonly PortConflict[] {
  const declared = claims.map(claim => ({ ...claim, protocol: claim.protocol ?? Protocol.UNSPECIFIED, claim }))
  const overruled = declared.filter(({ claim, protocol: own }) => claim.protocol !== undefined && own !== protocol)
  const holding = declared.filter(({ protocol: own }) => own === protocol)
  const [firstOverruled] = overruled
  const [firstHolding] = holding
  if (firstOverruled === undefined || firstHolding === undefined) return []
  const messageOf = (loser: typeof firstOverruled, winner: typeof firstOverruled): string => {
    const says = ({ protocol: own, field, object }: typeof firstOverruled): string =>
      `${nameOf(own)} by ${field} of ${object}`
    return `port ${number} of its pods is declared ${says(loser)} and ${says(winner)}: ${nameOf(protocol)} holds; declare the same in both`
  }
  return [
    ...overruled.map(claim => ({ object: claim.object, message: messageOf(claim, firstHolding) })),
    ...holding.map(claim => ({ object: claim.object, message: messageOf(firstOverruled, claim) }))
  ].filter(({ object }) => object.startsWith('Service '))
}

const nameOf = (protocol: Protocol): string =>
  protocol === Protocol.UNSPECIFIED ? 'no known protocol' : Protocol[protocol]
