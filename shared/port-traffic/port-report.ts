import { Protocol, type TokenRule } from '../proto/gen/countersign/mesh/v1/mesh_pb.js'
import { trafficOn } from './port-traffic.ts'

/**
 * What one policy on end users means for one port. `checked`: HTTP, whose tokens are checked. `http-only`: nothing is
 * declared, so that everything but HTTP is refused. `closed`: no connection is accepted, by whichever policy. `exempt`:
 * the policy is not enforced. `unchecked`: bytes, in which no token is found; none is required.
 */
export type PortOutcome = 'checked' | 'http-only' | 'closed' | 'exempt' | 'unchecked'

export interface PortReport {
  readonly number: number
  readonly outcome: PortOutcome
  /** Of the port, without its number: `declared TCP by port name "tcp" of Service shop/db`; empty: declared HTTP. */
  readonly declaration: string
}

interface DeclaredPort {
  readonly number: number
  readonly protocol: Protocol
  /** Who declares it, see shared/port-protocol. */
  readonly reason: string
}

type Rule = Pick<TokenRule, 'required' | 'exemptPorts'>

/**
 * @param own the rules of the policy
 * @param all the rules of every policy that selects the workload, these included
 */
export function portReport(port: DeclaredPort, own: readonly Rule[], all: readonly Rule[]): PortReport {
  const { number } = port
  const report = (outcome: PortOutcome): PortReport => ({ number, outcome, declaration: declarationOf(port) })
  const traffic = trafficOn(port, { rules: all })
  if (traffic === 'none') return report('closed')
  if (own.every(({ exemptPorts }) => exemptPorts.includes(number))) return report('exempt')
  if (traffic === 'any') return report('unchecked')
  return report(isHttp(port.protocol) ? 'checked' : 'http-only')
}

const MEANINGS: Readonly<Record<PortOutcome, string>> = {
  checked: 'HTTP, tokens are checked',
  'http-only': 'HTTP only, tokens are checked',
  closed: 'closed to callers',
  exempt: 'exempt',
  unchecked: 'not HTTP, no token is looked at'
}

/** `port 5432 (declared TCP by …): closed to callers` */
export function describePort({ number, outcome, declaration }: PortReport): string {
  return `port ${number}${declaration === '' ? '' : ` (${shortened(declaration)})`}: ${MEANINGS[outcome]}`
}

const isHttp = (protocol: Protocol): boolean => protocol === Protocol.HTTP || protocol === Protocol.HTTP2

function declarationOf({ protocol, reason }: DeclaredPort): string {
  if (isHttp(protocol)) return ''
  if (protocol === Protocol.TCP || protocol === Protocol.TLS) return `declared ${Protocol[protocol]} by ${reason}`
  return 'no known protocol is declared'
}

const LONGEST_DECLARATION = 180

const shortened = (text: string): string =>
  text.length > LONGEST_DECLARATION ? `${text.slice(0, LONGEST_DECLARATION - 1)}…` : text
