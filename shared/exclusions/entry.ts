import { isIP } from 'node:net'

/** Addresses, as nftables writes them: `ip daddr 10.0.0.0/8`. */
export interface Cidr {
  readonly family: 'ip' | 'ip6'
  readonly text: string
}

const LONGEST_PREFIX = { ip: 32, ip6: 128 } as const

/** A decimal number without a sign or zeros before it, in a range; undefined when the text is none. */
export function parseNumber(text: string, least: number, most: number): number | undefined {
  if (!/^(0|[1-9][0-9]{0,9})$/.test(text)) return undefined
  const number = Number(text)
  return number >= least && number <= most ? number : undefined
}

/** An address, a slash and the length of the prefix. */
export function parseCidr(text: string): Cidr | undefined {
  const { address = '', prefix = '' } =
    /^(?<address>[0-9a-fA-F.:]{1,45})\/(?<prefix>0|[1-9][0-9]{0,2})$/.exec(text)?.groups ?? {}
  const version = isIP(address)
  if (version === 0) return undefined
  const family = version === 4 ? 'ip' : 'ip6'
  return Number(prefix) <= LONGEST_PREFIX[family] ? { family, text } : undefined
}

/**
 * The name of an interface. Linux allows more characters; those that are missing here are quotes and wildcards to
 * nftables, or belong to what `ip link` prints after a name.
 */
export function parseInterface(text: string): string | undefined {
  if (!/^[A-Za-z0-9._-]{1,15}$/.test(text) || text === '.' || text === '..') return undefined
  // Between the proxy and its applications: left alone as it is, and needed to tell deliveries.
  return text === 'lo' ? undefined : text
}
