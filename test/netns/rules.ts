// What rules there are in a network namespace, whoever made them.

import { existsSync, readFileSync } from 'node:fs'
import type { MeansName } from '../../node/capture/means.ts'
import { DELIVERY_SOURCE } from '../../shared/bootstrap/index.ts'
import { type Namespace, run } from './pod.ts'

export const MEANS: readonly MeansName[] = ['nftables', 'iptables-nft', 'iptables-legacy']

const inside = ({ path }: Namespace, ...command: string[]): string => run('nsenter', `--net=${path}`, ...command)

// Both families; without the lines that say when it was printed, and without counters.
const save = (namespace: Namespace, variant: string): string =>
  ['iptables', 'ip6tables']
    .map(program => inside(namespace, `${program}-${variant}-save`, '-t', 'nat').replace(/^#.*\n| \[\d+:\d+\]$/gm, ''))
    .join('')

const PRINT: Readonly<Record<MeansName, (namespace: Namespace) => string>> = {
  nftables: namespace => inside(namespace, 'nft', 'list', 'ruleset'),
  'iptables-nft': namespace => save(namespace, 'nft'),
  'iptables-legacy': namespace => save(namespace, 'legacy')
}

export const rulesBy = (means: MeansName, namespace: Namespace): string => PRINT[means](namespace)

/**
 * How often all of a namespace's traffic is led to a proxy, by every means: a table of nftables counts, and a pair of
 * jumps of iptables for IPv4 together with one for IPv6. Half of it makes half of a number.
 */
export function timesCaptured(namespace: Namespace): number {
  const count = (text: string, what: RegExp): number => [...text.matchAll(what)].length
  const tables = count(inside(namespace, 'nft', 'list', 'tables'), /^table inet countersign$/gm)
  const jumps = /^-A (?:PREROUTING|OUTPUT) .* -j COUNTERSIGN_\w+$/gm
  return tables + (count(save(namespace, 'nft'), jumps) + count(save(namespace, 'legacy'), jumps)) / 4
}

/** Rules of somebody else, before those of ours: they would lead what has this protocol to somewhere else. */
export function addOthers(means: MeansName, namespace: Namespace, protocol: 'tcp' | 'udp'): void {
  if (means === 'nftables') {
    inside(namespace, 'nft', 'add', 'table', 'inet', 'others')
    return
  }
  for (const program of ['iptables', 'ip6tables'].map(name => means.replace('iptables', name))) {
    const nat = (...args: string[]): string => inside(namespace, program, '-t', 'nat', ...args)
    nat('-N', 'OTHERS')
    nat('-A', 'OTHERS', '-p', protocol, '-j', 'REDIRECT', '--to-ports', '9')
    for (const parent of ['PREROUTING', 'OUTPUT'])
      nat('-I', parent, '1', '-m', 'comment', '--comment', 'not -j COUNTERSIGN_INBOUND', '-j', 'OTHERS')
  }
}

export function hasOthers(means: MeansName, namespace: Namespace): boolean {
  const rules = rulesBy(means, namespace)
  if (means === 'nftables') return rules.includes('table inet others')
  const kept = [/^-A OTHERS -p \w+ -j REDIRECT --to-ports 9$/gm, /^-A (PREROUTING|OUTPUT) .* -j OTHERS$/gm]
  return kept.map(rule => [...rules.matchAll(rule)].length).join() === '2,4'
}

/** The routes that make the source addresses of deliveries local; both families, one line each. */
export function deliveryRoutes(namespace: Namespace): string {
  return routesIn(['-n', namespace.name])
}

function routesIn(where: readonly string[]): string {
  const show = (family: '4' | '6', address: string): string =>
    run('ip', ...where, `-${family}`, 'route', 'show', 'table', 'local', 'match', address)
      .split('\n')
      .filter(line => line.startsWith(`local ${address} `))
      .map(line => `${line}\n`)
      .join('')
  return show('4', DELIVERY_SOURCE.ipv4) + show('6', DELIVERY_SOURCE.ipv6)
}

/** What of the host's own network must stay as it is. Tables of iptables-legacy by name: to print them makes them. */
export function hostState(): string {
  const names = ['/proc/net/ip_tables_names', '/proc/net/ip6_tables_names'].filter(path => existsSync(path))
  return [
    run('nft', 'list', 'ruleset'),
    run('ip', 'address', 'show', 'dev', 'lo'),
    routesIn([]),
    ...names.map(path => readFileSync(path, 'utf8'))
  ].join('')
}
