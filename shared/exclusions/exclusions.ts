import { PROXY_PORTS, PROXY_USER } from '../bootstrap/index.ts'
import { type Cidr, parseCidr, parseInterface, parseNumber } from './entry.ts'

/** What of a pod's traffic bypasses its proxy. Numbers ascend; each entry is there once. */
export interface Exclusions {
  /** Ports of the pod. */
  readonly inboundPorts: readonly number[]
  /** Ports at the other end. */
  readonly outboundPorts: readonly number[]
  /** Addresses at the other end. */
  readonly outboundCidrs: readonly Cidr[]
  /** Interfaces of the pod, in both directions. */
  readonly interfaces: readonly string[]
  /** Users in the pod. */
  readonly outboundUsers: readonly number[]
}

export const NO_EXCLUSIONS: Exclusions = Object.freeze({
  inboundPorts: [],
  outboundPorts: [],
  outboundCidrs: [],
  interfaces: [],
  outboundUsers: []
})

/** One kind of exclusion. */
export interface ExclusionList<T> {
  /** Of the annotation of a pod, and of the attribute of its volume. */
  readonly name: string
  /** What an entry may be, as a phrase after "expected". */
  readonly entry: string
  /** What the whole may be, likewise. */
  readonly allowed: string
  /** Undefined when the text is not allowed as an entry. */
  parse(text: string): T | undefined
}

/** Every entry of a list is looked at for every new connection. */
export const MOST_ENTRIES = 64

const RESERVED_PORTS: readonly number[] = Object.values(PROXY_PORTS)
// Kubernetes, IsValidUserID: the largest user that runAsUser can name. OpenShift gives pods users above 10^9.
const LARGEST_USER = 2_147_483_647

const PORT = 'a port from 1 to 65535'
const port = (text: string): number | undefined => parseNumber(text, 1, 65_535)
const allBut = (parse: (text: string) => number | undefined, reserved: readonly number[]) => (text: string) => {
  const number = parse(text)
  return number === undefined || reserved.includes(number) ? undefined : number
}

function list<T>(what: string, entry: string, parse: (text: string) => T | undefined): ExclusionList<T> {
  const allowed = `1 to ${MOST_ENTRIES} entries separated by commas, each ${entry}`
  return { name: `countersign.dev/exclude-${what}`, entry, allowed, parse }
}

/** Every kind there is. */
export const EXCLUSIONS: { readonly [Kind in keyof Exclusions]: ExclusionList<Exclusions[Kind][number]> } = {
  inboundPorts: list(
    'inbound-ports',
    `${PORT} other than ${RESERVED_PORTS.join(', ')}, which the proxy itself needs`,
    allBut(port, RESERVED_PORTS)
  ),
  outboundPorts: list('outbound-ports', PORT, port),
  outboundCidrs: list('outbound-cidrs', 'a prefix such as 10.0.0.0/8 or fd00::/8', parseCidr),
  interfaces: list(
    'interfaces',
    'the name of an interface of at most 15 letters, digits, dots, dashes and underscores, other than lo',
    parseInterface
  ),
  outboundUsers: list(
    'outbound-users',
    `the number of a user from 0 to ${LARGEST_USER} other than ${PROXY_USER}, which is the proxy`,
    allBut(text => parseNumber(text, 0, LARGEST_USER), [PROXY_USER])
  )
}
