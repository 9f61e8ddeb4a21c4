import { BlockList, isIP, SocketAddress } from 'node:net'

const MAPPED = '::ffff:'

/**
 * An IP address in its one canonical form: RFC 5952 for IPv6; an IPv4-mapped IPv6 address is the IPv4 address, which is
 * where connections to it go. Undefined for what is no address, or has a zone. Two texts mean one place exactly when
 * their canonical forms are equal.
 */
export function canonicalAddress(text: string): string | undefined {
  if (text.includes('%')) return undefined
  const version = isIP(text)
  if (version !== 6) return version === 4 ? text : undefined
  const { address } = new SocketAddress({ address: text, family: 'ipv6' })
  const mapped = address.startsWith(MAPPED) ? address.slice(MAPPED.length) : ''
  return isIP(mapped) === 4 ? mapped : address
}

/** Whether the text is a network in CIDR notation: `10.244.1.0/24`. */
export function isNetwork(text: string): boolean {
  const [address = '', prefix = '', ...rest] = text.split('/')
  if (rest.length > 0 || address.includes('%') || !/^(0|[1-9]\d{0,2})$/.test(prefix)) return false
  const version = isIP(address)
  return version !== 0 && Number(prefix) <= (version === 4 ? 32 : 128)
}

/** Whether one of the networks contains the address. Each network is as `isNetwork` accepts it. */
export function networksContain(networks: readonly string[], address: string): boolean {
  const list = lists.get(networks) ?? blockList(networks)
  lists.set(networks, list)
  return list.check(address, familyOf(address))
}

// Every pod of a Node is compared with the same list of networks, whenever anything changes.
const lists = new WeakMap<readonly string[], BlockList>()

function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [base = '', prefix] = network.split('/')
    list.addSubnet(base, Number(prefix), familyOf(base))
  }
  return list
}

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIP(address) === 4 ? 'ipv4' : 'ipv6')
