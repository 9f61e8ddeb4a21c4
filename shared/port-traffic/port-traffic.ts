import { type EndUserChecks, Protocol, type TokenRule } from '../proto/gen/countersign/mesh/v1/mesh_pb.js'

/** `any`: bytes of every kind. `http`: HTTP, which is checked; the rest is refused. `none`: the port is closed. */
export type PortTraffic = 'any' | 'http' | 'none'

interface Port {
  readonly number: number
  readonly protocol: Protocol
}

type Rule = Pick<TokenRule, 'required' | 'exemptPorts'>

/** The rules that hold on a port: those that do not exempt it. */
const rulesOn = <R extends Pick<TokenRule, 'exemptPorts'>>(port: number, rules: readonly R[]): readonly R[] =>
  rules.filter(({ exemptPorts }) => !exemptPorts.includes(port))

/**
 * What callers may send on a port. Tokens are found in HTTP alone. So a port that declares nothing is HTTP only as
 * soon as a rule holds there. A port that is declared TCP or TLS is closed where a token is required, and left as it is
 * where none is. A protocol that is not known here counts as one that declares nothing.
 *
 * @param checks absent: no policy on end users selects the workload
 */
export function trafficOn(
  { number, protocol }: Port,
  checks: Pick<EndUserChecks, 'rules'> | { readonly rules: readonly Rule[] } | undefined
): PortTraffic {
  const rules = rulesOn<Rule>(number, checks?.rules ?? [])
  if (rules.length === 0) return 'any'
  if (protocol !== Protocol.TCP && protocol !== Protocol.TLS) return 'http'
  return rules.some(({ required }) => required) ? 'none' : 'any'
}
