import { DELIVERY_SOURCE, PROXY_PORTS, PROXY_USER } from '../../shared/bootstrap/index.ts'
import type { Exclusions } from '../../shared/exclusions/index.ts'

/** The proxy, as the webhook puts it into a pod and the agent configures it. */
export const PROXY = {
  uid: PROXY_USER,
  outboundPort: PROXY_PORTS.outbound,
  inboundPort: PROXY_PORTS.inbound,
  /** Probes, readiness, metrics: reached as they are. */
  openPorts: [PROXY_PORTS.probes, PROXY_PORTS.readiness, PROXY_PORTS.metrics],
  /** From where the proxy delivers to the pod's applications: local routes, see delivery-routes.ts. */
  deliverySource: { ip: DELIVERY_SOURCE.ipv4, ip6: DELIVERY_SOURCE.ipv6 },
  /** From where proxies of earlier versions deliver, until they have their new clusters. */
  formerDeliverySource: { ip: '127.0.0.6', ip6: '::6' }
} as const

export type Family = 'ip' | 'ip6'

/** An address or a prefix. */
export interface Addresses {
  readonly family: Family
  readonly text: string
}

/** What a rule matches: all that is said, and of a list any entry. Nothing said of a family matches both. */
export interface Match {
  /** The owner of the socket; known where packets go out, and nowhere else. */
  readonly user?: number | readonly number[]
  /** The interface by which a packet came in. */
  readonly from?: string | readonly string[]
  /** The interface by which it goes out. */
  readonly via?: string | readonly string[]
  readonly source?: Addresses
  readonly destination?: Addresses
  readonly exceptDestination?: Addresses
  /** TCP, to one of these ports if they are given. */
  readonly tcp?: 'any' | readonly number[]
}

export type Verdict =
  | { readonly kind: 'return' }
  | { readonly kind: 'jump'; readonly chain: string }
  /** To a port of the pod itself; needs a match of TCP. */
  | { readonly kind: 'redirect'; readonly port: number }

/** One rule: what it matches, what becomes of it, and why: the kernel keeps that as a comment. */
export interface Rule {
  readonly match: Match
  readonly verdict: Verdict
  readonly why: string
}

export interface Chain {
  readonly name: string
  /** Where packets enter it; a chain without is only jumped to. */
  readonly hook?: 'prerouting' | 'output'
  readonly rules: readonly Rule[]
}

/** The rules of a pod, for IPv4 and IPv6, in nobody's syntax. */
export interface Ruleset {
  readonly chains: readonly Chain[]
}

export interface RulesetOptions extends Exclusions {
  /** The user that the proxy runs as; 1337 unless given. */
  readonly proxyUid?: number
}

const RETURN: Verdict = { kind: 'return' }
const ARRIVING = 'arriving'
const toArriving: Verdict = { kind: 'jump', chain: ARRIVING }
const toPort = (port: number): Verdict => ({ kind: 'redirect', port })

/** A rule that lets pass what it matches; none for a list without entries. */
const pass = <T>(entries: readonly T[], match: (entries: readonly T[]) => Match, why: string): readonly Rule[] =>
  entries.length === 0 ? [] : [{ match: match(entries), verdict: RETURN, why }]

/**
 * The rules of a pod. They look at the first packet of a connection only: the kernel treats the rest of it alike.
 *
 * Outgoing connections go to the proxy's outbound port, but for its own. The proxy calling its own pod, for a Service
 * that chose its own pod, is led to its inbound port: the client's end of mutual TLS must not meet the bare
 * application. Its deliveries to the application are told from that by their source address, which counts only where
 * packets leave a socket of this pod by lo: what arrives from outside with that address is led to the proxy like
 * everything else. What an application calls within its pod is left alone.
 *
 * Incoming connections go to the proxy's inbound port, but for those to the ports that the proxy itself answers.
 *
 * What is excluded comes after what concerns the proxy: no exclusion changes what becomes of the proxy's own traffic,
 * but for inbound ports, which are excluded for its calls to its own pod as well.
 */
export function captureRuleset(options: RulesetOptions): Ruleset {
  const { proxyUid: user = PROXY.uid } = options
  const arriving: Chain = {
    name: ARRIVING,
    rules: [
      { match: { tcp: PROXY.openPorts }, verdict: RETURN, why: 'the proxy answers these itself' },
      ...pass(options.inboundPorts, tcp => ({ tcp }), 'excluded inbound ports'),
      { match: { tcp: 'any' }, verdict: toPort(PROXY.inboundPort), why: 'to the proxy, inbound' }
    ]
  }
  const inbound: Chain = {
    name: 'inbound',
    hook: 'prerouting',
    rules: [
      { match: { from: 'lo' }, verdict: RETURN, why: 'judged when it went out' },
      ...pass(options.interfaces, from => ({ from }), 'excluded interfaces'),
      { match: { tcp: 'any' }, verdict: toArriving, why: 'from outside the pod' }
    ]
  }
  const outbound: Chain = {
    name: 'outbound',
    hook: 'output',
    rules: [
      delivery({ family: 'ip', text: PROXY.deliverySource.ip }, 'deliveries of the proxy, IPv4'),
      delivery({ family: 'ip6', text: PROXY.deliverySource.ip6 }, 'deliveries of the proxy, IPv6'),
      delivery({ family: 'ip', text: PROXY.formerDeliverySource.ip }, 'deliveries as before an upgrade, IPv4'),
      delivery({ family: 'ip6', text: PROXY.formerDeliverySource.ip6 }, 'deliveries as before an upgrade, IPv6'),
      {
        match: { user, via: 'lo', exceptDestination: { family: 'ip', text: '127.0.0.0/8' }, tcp: 'any' },
        verdict: toArriving,
        why: 'the proxy calls its own pod, IPv4'
      },
      {
        match: { user, via: 'lo', exceptDestination: { family: 'ip6', text: '::1' }, tcp: 'any' },
        verdict: toArriving,
        why: 'the proxy calls its own pod, IPv6'
      },
      { match: { user }, verdict: RETURN, why: 'the proxy calls somebody' },
      { match: { via: 'lo' }, verdict: RETURN, why: 'within the pod' },
      ...excludedOutbound(options),
      { match: { tcp: 'any' }, verdict: toPort(PROXY.outboundPort), why: 'to the proxy, outbound' }
    ]
  }
  return { chains: [arriving, inbound, outbound] }
}

function delivery(source: Addresses, why: string): Rule {
  return { match: { via: 'lo', source }, verdict: RETURN, why }
}

function excludedOutbound({ interfaces, outboundUsers, outboundCidrs, outboundPorts }: Exclusions): Rule[] {
  return [
    ...pass(interfaces, via => ({ via }), 'excluded interfaces'),
    ...pass(outboundUsers, user => ({ user }), 'excluded outbound users'),
    // A rule for each prefix: a set of prefixes that overlap is an error to nftables.
    ...outboundCidrs.flatMap(destination =>
      pass([destination], () => ({ destination }), `excluded outbound address ${destination.text}`)
    ),
    ...pass(outboundPorts, tcp => ({ tcp }), 'excluded outbound ports')
  ]
}
