import { isIP } from 'node:net'
import { CountersignError } from '../../shared/errors/index.ts'
import type { ApplyRequest } from '../../shared/proto/gen/countersign/node/v1/capture_pb.js'

/** Addresses, as nftables writes them: `ip daddr 10.0.0.0/8`. */
export interface Cidr {
  readonly family: 'ip' | 'ip6'
  readonly text: string
}

/** What of a pod's traffic bypasses its proxy. Ports are sorted, each once. */
export interface Exclusions {
  readonly inboundPorts: readonly number[]
  readonly outboundPorts: readonly number[]
  readonly outboundCidrs: readonly Cidr[]
}

export const NO_EXCLUSIONS: Exclusions = Object.freeze({ inboundPorts: [], outboundPorts: [], outboundCidrs: [] })

// Every one is looked at for every new connection.
const MOST_OF_EACH = 64

const POD_UID = /^[0-9a-f-]{32,36}$/

const LONGEST_PREFIX = { ip: 32, ip6: 128 } as const

/**
 * The pod and the exclusions of a request. The latter come from a pod's specification and become part of a ruleset:
 * nothing passes that is not a number, or an address of digits, dots and colons.
 *
 * @throws CountersignError ERR_CAPTURE_REFUSED naming every field and value that is not allowed
 */
export function readApplyRequest(request: ApplyRequest): { readonly podUid: string; readonly exclusions: Exclusions } {
  const { podUid } = request
  const problems = POD_UID.test(podUid)
    ? []
    : [`pod_uid ${JSON.stringify(podUid.slice(0, 64))}: expected the UID of a pod`]
  const ports = (field: string, numbers: readonly number[]): readonly number[] => {
    for (const number of numbers.filter(number => number < 1 || number > 65_535))
      problems.push(`${field} ${number}: expected a port from 1 to 65535`)
    return [...new Set(numbers)].sort((a, b) => a - b)
  }
  const inboundPorts = ports('excluded_inbound_ports', request.excludedInboundPorts)
  const outboundPorts = ports('excluded_outbound_ports', request.excludedOutboundPorts)
  const outboundCidrs = [...new Set(request.excludedOutboundCidrs)].flatMap(text => {
    const cidr = parseCidr(text)
    if (cidr !== undefined) return [cidr]
    problems.push(
      `excluded_outbound_cidrs ${JSON.stringify(text.slice(0, 64))}: expected a prefix such as 10.0.0.0/8 or fd00::/8`
    )
    return []
  })
  for (const [field, { length }] of [
    ['excluded_inbound_ports', inboundPorts],
    ['excluded_outbound_ports', outboundPorts],
    ['excluded_outbound_cidrs', outboundCidrs]
  ] as const)
    if (length > MOST_OF_EACH) problems.push(`${field}: expected at most ${MOST_OF_EACH}, got ${length}`)
  if (problems.length > 0)
    throw new CountersignError('ERR_CAPTURE_REFUSED', `traffic cannot be captured: ${problems.join('; ')}`, {
      facts: { problems }
    })
  return { podUid, exclusions: Object.freeze({ inboundPorts, outboundPorts, outboundCidrs }) }
}

function parseCidr(text: string): Cidr | undefined {
  const { address = '', prefix = '' } =
    /^(?<address>[0-9a-fA-F.:]+)\/(?<prefix>0|[1-9][0-9]{0,2})$/.exec(text)?.groups ?? {}
  const version = isIP(address)
  if (version === 0) return undefined
  const family = version === 4 ? 'ip' : 'ip6'
  return Number(prefix) <= LONGEST_PREFIX[family] ? { family, text } : undefined
}
