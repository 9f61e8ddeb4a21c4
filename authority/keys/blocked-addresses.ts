import { BlockList, isIP, isIPv4 } from 'node:net'
import { CountersignError } from '../../shared/errors/index.ts'

/**
 * Where keys are never fetched from, unless an operator says otherwise: what answers there serves machines, not the
 * world. Loopback and private networks are no part of it: identity providers live there.
 */
export const DEFAULT_BLOCKED_ADDRESSES = [
  '0.0.0.0/8', // "this host", RFC 1122, section 3.2.1.3
  '169.254.0.0/16', // link-local, RFC 3927; metadata of AWS, Azure, Google Cloud and most others
  '100.100.100.200/32', // metadata of Alibaba Cloud
  '168.63.129.16/32', // the host of an Azure machine
  '192.0.0.192/32', // metadata of Oracle Cloud
  '224.0.0.0/4', // multicast, RFC 5771
  '240.0.0.0/4', // reserved, RFC 1112, section 4; broadcast is its last
  '::/128',
  'fe80::/10', // link-local, RFC 4291, section 2.5.6
  'fd00:ec2::254/128', // metadata of AWS
  'fd20:ce::254/128', // metadata of Google Cloud
  'ff00::/8' // multicast, RFC 4291, section 2.7
] as const

/** Networks that nothing is fetched from. */
export class BlockedAddresses {
  readonly #list = new BlockList()

  /**
   * @param networks addresses or networks: `10.0.0.0/8`, `fd00::/8`, `192.0.2.1`
   * @throws CountersignError ERR_OPTION_INVALID that names the entry
   */
  constructor(networks: readonly string[] = DEFAULT_BLOCKED_ADDRESSES) {
    for (const network of networks) this.#add(network)
  }

  /** Whether an address is in one of the networks; an IPv6 address that stands for an IPv4 address is both. */
  has(address: string): boolean {
    // A zone says through which interface, not where to.
    const [plain = ''] = address.split('%')
    if (isIPv4(plain)) return this.#list.check(plain, 'ipv4')
    // What is no address is nowhere that one may go.
    if (isIP(plain) === 0) return true
    return this.#list.check(plain, 'ipv6') || embedded(plain).some(inner => this.#list.check(inner, 'ipv4'))
  }

  /** Whether a URL has such an address in it; a name is none, whatever it resolves to. */
  isNamedBy({ hostname }: URL): boolean {
    // The URL parser has normalised it: 0x7f.1 is 127.0.0.1 here.
    const literal = hostname.replace(/^\[|\]$/g, '')
    return isIP(literal) !== 0 && this.has(literal)
  }

  #add(network: string): void {
    const [address = '', length, ...rest] = network.split('/')
    const version = isIP(address)
    const most = version === 4 ? 32 : 128
    const bits = length === undefined ? most : /^(0|[1-9][0-9]{0,2})$/.test(length) ? Number(length) : Number.NaN
    if (version === 0 || rest.length > 0 || address.includes('%') || !(bits <= most))
      throw new CountersignError(
        'ERR_OPTION_INVALID',
        `blocked address ${JSON.stringify(network)}: expected an IP address or a network such as 10.0.0.0/8 or fd00::/8`
      )
    this.#list.addSubnet(address, bits, version === 4 ? 'ipv4' : 'ipv6')
  }
}

const MAPPED = [0, 0, 0, 0, 0, 0xffff] // RFC 4291, section 2.5.5.2
const COMPATIBLE = [0, 0, 0, 0, 0, 0] // RFC 4291, section 2.5.5.1
const TRANSLATED = [0, 0, 0, 0, 0xffff, 0] // RFC 2765, section 2.1
const NAT64 = [0x64, 0xff9b, 0, 0, 0, 0] // RFC 6052, section 2.1
const SIX_TO_FOUR = 0x2002 // RFC 3056, section 2

/** IPv4 addresses that a packet to this IPv6 address may end at. */
function embedded(address: string): readonly string[] {
  const groups = groupsOf(address)
  const at = (index: number): string => {
    const [high = 0, low = 0] = groups.slice(index, index + 2)
    return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
  }
  const begins = (prefix: readonly number[]): boolean => prefix.every((group, index) => groups[index] === group)
  // ::1 is loopback, which is no IPv4 address.
  if (begins(COMPATIBLE) && groups[6] === 0) return []
  if ([MAPPED, COMPATIBLE, TRANSLATED, NAT64].some(begins)) return [at(6)]
  return groups[0] === SIX_TO_FOUR ? [at(1)] : []
}

/** The eight groups of an address that is known to be one; the URL parser writes an IPv4 tail as hexadecimal. */
function groupsOf(address: string): readonly number[] {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const parse = (text: string): number[] =>
    text === '' ? [] : text.split(':').map(group => Number.parseInt(group, 16))
  const [before, after] = [parse(head), parse(tail ?? '')]
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
}
