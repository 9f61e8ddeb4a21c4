import { PROXY_PORTS, PROXY_USER } from '../../shared/bootstrap/index.ts'
import type { Exclusions } from '../../shared/exclusions/index.ts'

/** The proxy, as the webhook puts it into a pod and the agent configures it. */
export const PROXY = {
  uid: PROXY_USER,
  outboundPort: PROXY_PORTS.outbound,
  inboundPort: PROXY_PORTS.inbound,
  /** Probes, readiness, metrics: reached as they are. */
  openPorts: [PROXY_PORTS.probes, PROXY_PORTS.readiness, PROXY_PORTS.metrics],
  /** From where the proxy delivers to the pod's applications. 127.0.0.0/8 is always there, ::6 has to be added to lo. */
  deliverySource: { ip: '127.0.0.6', ip6: '::6' }
} as const

/** One rule: what it matches, what becomes of it, and why: nftables keeps that as a comment. */
export interface Rule {
  readonly match: string
  readonly verdict: string
  readonly why: string
}

export interface Chain {
  readonly name: string
  /** Where packets enter it; a chain without is only jumped to. */
  readonly hook?: 'prerouting' | 'output'
  readonly rules: readonly Rule[]
}

export interface Ruleset {
  readonly table: string
  readonly chains: readonly Chain[]
}

export interface RulesetOptions extends Exclusions {
  /** The user that the proxy runs as; 1337 unless given. */
  readonly proxyUid?: number
}

/** The one table that is ours; `inet` holds IPv4 and IPv6. */
export const TABLE = 'countersign'

const toPort = (port: number): string => `redirect to :${port}`
const ports = (numbers: readonly number[]): string => `tcp dport { ${numbers.join(', ')} }`
const interfaces = (names: readonly string[]): string => `{ ${names.map(name => `"${name}"`).join(', ')} }`

/** A rule that lets pass what it matches; none for a list without entries. */
const pass = <T>(entries: readonly T[], match: (entries: readonly T[]) => string, why: string): readonly Rule[] =>
  entries.length === 0 ? [] : [{ match: match(entries), verdict: 'return', why }]

/**
 * The rules of a pod. They look at the first packet of a connection only: the kernel treats the rest of it alike.
 *
 * Outgoing connections go to the proxy's outbound port, but for its own. The proxy calling its own pod, for a Service
 * that chose its own pod, is led to its inbound port: the client's end of mutual TLS must not meet the bare
 * application. Its deliveries to the application are told from that by their source address. What an application
 * calls within its pod is left alone.
 *
 * Incoming connections go to the proxy's inbound port, but for those to the ports that the proxy itself answers.
 *
 * What is excluded comes after what concerns the proxy: no exclusion changes what becomes of the proxy's own traffic,
 * but for inbound ports, which are excluded for its calls to its own pod as well.
 */
export function captureRuleset(options: RulesetOptions): Ruleset {
  const { proxyUid = PROXY.uid } = options
  const { ip, ip6 } = PROXY.deliverySource
  const proxy = `meta skuid ${proxyUid}`
  const arriving: Chain = {
    name: 'arriving',
    rules: [
      { match: ports(PROXY.openPorts), verdict: 'return', why: 'the proxy answers these itself' },
      ...pass(options.inboundPorts, ports, 'excluded inbound ports'),
      { match: 'meta l4proto tcp', verdict: toPort(PROXY.inboundPort), why: 'to the proxy, inbound' }
    ]
  }
  const inbound: Chain = {
    name: 'inbound',
    hook: 'prerouting',
    rules: [
      { match: 'iifname "lo"', verdict: 'return', why: 'judged when it went out' },
      ...pass(options.interfaces, names => `iifname ${interfaces(names)}`, 'excluded interfaces'),
      { match: 'meta l4proto tcp', verdict: `jump ${arriving.name}`, why: 'from outside the pod' }
    ]
  }
  const outbound: Chain = {
    name: 'outbound',
    hook: 'output',
    rules: [
      { match: `oifname "lo" ip saddr ${ip}`, verdict: 'return', why: 'deliveries of the proxy, IPv4' },
      { match: `oifname "lo" ip6 saddr ${ip6}`, verdict: 'return', why: 'deliveries of the proxy, IPv6' },
      {
        match: `${proxy} oifname "lo" ip daddr != 127.0.0.0/8 meta l4proto tcp`,
        verdict: `jump ${arriving.name}`,
        why: 'the proxy calls its own pod, IPv4'
      },
      {
        match: `${proxy} oifname "lo" ip6 daddr != ::1 meta l4proto tcp`,
        verdict: `jump ${arriving.name}`,
        why: 'the proxy calls its own pod, IPv6'
      },
      { match: proxy, verdict: 'return', why: 'the proxy calls somebody' },
      { match: 'oifname "lo"', verdict: 'return', why: 'within the pod' },
      ...excludedOutbound(options),
      { match: 'meta l4proto tcp', verdict: toPort(PROXY.outboundPort), why: 'to the proxy, outbound' }
    ]
  }
  return { table: TABLE, chains: [arriving, inbound, outbound] }
}

function excludedOutbound({ interfaces: names, outboundUsers, outboundCidrs, outboundPorts }: Exclusions): Rule[] {
  return [
    ...pass(names, () => `oifname ${interfaces(names)}`, 'excluded interfaces'),
    ...pass(outboundUsers, users => `meta skuid { ${users.join(', ')} }`, 'excluded outbound users'),
    // A rule for each prefix: a set of prefixes that overlap is an error to nftables.
    ...outboundCidrs.flatMap(({ family, text }) =>
      pass([text], () => `${family} daddr ${text}`, `excluded outbound address ${text}`)
    ),
    ...pass(outboundPorts, ports, 'excluded outbound ports')
  ]
}

/**
 * The input of `nft -f -` that puts a ruleset in place of whatever was there of it before, in one transaction: every
 * packet meets the old rules or the new ones. Connections that are open keep what was decided for them.
 */
export function rulesetText({ table, chains }: Ruleset): string {
  const lines = chains.flatMap(({ name, hook, rules }) => [
    `  chain ${name} {`,
    // A number, because the name "dstnat" of this priority is refused for output. Before the filters of others.
    ...(hook === undefined ? [] : [`    type nat hook ${hook} priority -100; policy accept;`]),
    ...rules.map(({ match, verdict, why }) => `    ${match} ${verdict} comment "${why}"`),
    '  }'
  ])
  // The first line makes a table that the second can delete.
  return [`table inet ${table}`, `delete table inet ${table}`, `table inet ${table} {`, ...lines, '}', ''].join('\n')
}
