import { isIPv6 } from 'node:net'
import { CountersignError } from '../errors/index.ts'
import type { Parser } from './parser.ts'

/** Where a TCP server listens or is reached. */
export interface Address {
  /** A DNS name or an IP address; IPv6 without its brackets. */
  readonly host: string
  readonly port: number
}

/** `host:port`, IPv6 in brackets. */
export function formatAddress({ host, port }: Address): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
}

const ADDRESS =
  /^(?:\[(?<v6>[^\]]+)\]|(?<name>[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?)):(?<port>0|[1-9][0-9]{0,4})$/

function parseAddress(text: string, lowestPort: number): Address | undefined {
  const { v6, name, port } = ADDRESS.exec(text)?.groups ?? {}
  if (v6 !== undefined && !isIPv6(v6)) return undefined
  const host = v6 ?? name
  const number = Number(port)
  if (host === undefined || number < lowestPort || number > 65_535) return undefined
  return Object.freeze({ host, port: number })
}

/** An address to connect to. */
export const address: Parser<Address> = {
  placeholder: 'host:port',
  allowed: 'host:port with a port from 1 to 65535, IPv6 as [address]:port',
  parse: text => parseAddress(text, 1)
}

/** An address to listen on; port 0 lets the system choose. */
export const listenAddress: Parser<Address> = {
  placeholder: 'host:port',
  allowed: 'host:port with a port from 0 to 65535, IPv6 as [address]:port',
  parse: text => parseAddress(text, 0)
}

export function port(): Parser<number> {
  return {
    placeholder: 'port',
    allowed: 'a port from 1 to 65535',
    parse: text => parseAddress(`localhost:${text}`, 1)?.port
  }
}

/** What to throw when listening failed: it names the option with which another address is chosen. */
export function addressUnusable(flag: string, address: Address, thrown: unknown): CountersignError {
  const reason = thrown instanceof Error ? thrown.message : String(thrown)
  const message = `cannot listen on ${formatAddress(address)} (--${flag}): ${reason}`
  return new CountersignError('ERR_ADDRESS_UNUSABLE', message, { cause: thrown, facts: { option: `--${flag}` } })
}
