import { create, type MessageInitShape } from '@bufbuild/protobuf'
import type { PortTraffic } from '../../shared/port-traffic/index.ts'
import { MutualTlsMode, Protocol, type Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  type Filter,
  type FilterChain,
  FilterChainSchema
} from '../../shared/proto/gen/envoy/config/listener/v3/listener_components_pb.js'
import type { HttpFilter } from '../../shared/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { inboundHttp } from './http.ts'
import { SNI_SUFFIX } from './names.ts'
import { applicationRoute } from './route.ts'
import { tcpFilter } from './tcp.ts'
import { HTTP_SERVER_SOCKETS, type MinimumTls, type ServerSockets, TCP_SERVER_SOCKETS } from './tls.ts'

type Mode = 'strict' | 'permissive' | 'disable'
type Kind = 'http' | 'tcp' | 'tls' | 'unknown' | 'http-only' | 'unknown-http-only' | 'closed'

/**
 * The filter chains that a port can have. Each has one name and one content, whatever mode and protocol: a change of
 * either adds and removes chains, and connections on chains that stay are not touched. (A change of the mesh's minimum
 * of TLS replaces the chains to which clients without a proxy come, and ends their connections after draining.)
 *
 * - mtls: TLS, ended here. On ports of HTTP that is any TLS: the application speaks none.
 * - mtls-marked: TLS from a proxy of the mesh, told by its server name; the application may speak TLS of its own.
 * - mtls-unmarked: every other TLS, ended here as well: a client with an SVID and no proxy.
 * - …-http: what of these two says by ALPN that there is HTTP inside.
 * - plaintext: HTTP in the clear, because it was declared.
 * - plaintext-http: HTTP in the clear, because it was recognised.
 * - untouched: bytes in the clear, as they are.
 * - untouched-tls: TLS as it is.
 * - mtls-marked-rest: as mtls-marked, for a port that takes HTTP only: whatever ALPN says, it is read as HTTP.
 * - closed: every connection is closed.
 */
type Chain =
  | 'mtls'
  | 'mtls-marked'
  | 'mtls-marked-http'
  | 'mtls-unmarked'
  | 'mtls-unmarked-http'
  | 'plaintext'
  | 'plaintext-http'
  | 'untouched'
  | 'untouched-tls'
  | 'mtls-marked-rest'
  | 'closed'

// No chain for a connection means that it is closed. An application's own TLS is no proof of who calls: strict ports
// refuse it, outside the mesh's. Permissive ports pass it on where there may be some: on those that are declared as TLS,
// and on those of which nothing was said.
//
// On a port that takes HTTP only, no chain passes bytes: what is not recognised as HTTP goes to the HTTP codec, which
// closes what it cannot read. Where nothing was declared, the chains of recognised HTTP stay beside those: their open
// connections carry checked requests, and outlive the arrival of a policy.
const CHAINS: Readonly<Record<Kind, Readonly<Record<Mode, readonly Chain[]>>>> = {
  http: {
    strict: ['mtls'],
    permissive: ['mtls', 'plaintext'],
    disable: ['plaintext', 'untouched-tls']
  },
  tcp: {
    strict: ['mtls-marked', 'mtls-unmarked'],
    permissive: ['mtls-marked', 'mtls-unmarked', 'untouched'],
    disable: ['untouched', 'untouched-tls']
  },
  tls: {
    strict: ['mtls-marked'],
    permissive: ['mtls-marked', 'untouched', 'untouched-tls'],
    disable: ['untouched', 'untouched-tls']
  },
  unknown: {
    strict: ['mtls-marked-http', 'mtls-marked', 'mtls-unmarked-http', 'mtls-unmarked'],
    permissive: ['mtls-marked-http', 'mtls-marked', 'plaintext-http', 'untouched', 'untouched-tls'],
    disable: ['plaintext-http', 'untouched', 'untouched-tls']
  },
  'http-only': {
    strict: ['mtls'],
    permissive: ['mtls', 'plaintext'],
    disable: ['plaintext']
  },
  'unknown-http-only': {
    strict: ['mtls-marked-http', 'mtls-marked-rest', 'mtls-unmarked-http', 'mtls'],
    permissive: ['mtls-marked-http', 'mtls-marked-rest', 'mtls', 'plaintext-http', 'plaintext'],
    disable: ['plaintext-http', 'plaintext']
  },
  closed: { strict: ['closed'], permissive: ['closed'], disable: ['closed'] }
}

interface ChainContent {
  readonly match: MessageInitShape<typeof FilterChainSchema>['filterChainMatch'] & object
  readonly sockets?: ServerSockets
  /** Absent: connections are closed. */
  readonly filter?: (cluster: string, login: HttpFilter) => Filter
}

const tcp = (cluster: string): Filter => tcpFilter('inbound', cluster)
const tcpOverMutualTls = (cluster: string): Filter => tcpFilter('inbound', cluster, { mutualTls: true })
const http =
  (peer: 'verified' | 'unknown') =>
  (cluster: string, login: HttpFilter): Filter =>
    inboundHttp(peer, { login, routes: { case: 'routeConfig', value: applicationRoute(cluster) } })

// What is neither is closed; every connection is one of the two once the TLS inspector has seen it.
const TLS = { transportProtocol: 'tls' }
const CLEAR = { transportProtocol: 'raw_buffer' }
const MARKED = { ...TLS, serverNames: [`*.${SNI_SUFFIX}`] }
// As a client offers it; TCP through a proxy of the mesh offers nothing.
const HTTP_OFFERED = { applicationProtocols: ['h2', 'http/1.1'] }
// As Envoy's HTTP inspector calls what it found.
const HTTP_FOUND = { applicationProtocols: ['http/1.0', 'http/1.1', 'h2c'] }

const CONTENT: Readonly<Record<Chain, ChainContent>> = {
  mtls: { match: TLS, sockets: HTTP_SERVER_SOCKETS.anyone, filter: http('verified') },
  'mtls-marked': { match: MARKED, sockets: TCP_SERVER_SOCKETS.proxies, filter: tcpOverMutualTls },
  'mtls-marked-http': {
    match: { ...MARKED, ...HTTP_OFFERED },
    sockets: HTTP_SERVER_SOCKETS.proxies,
    filter: http('verified')
  },
  'mtls-unmarked': { match: TLS, sockets: TCP_SERVER_SOCKETS.anyone, filter: tcpOverMutualTls },
  'mtls-unmarked-http': {
    match: { ...TLS, ...HTTP_OFFERED },
    sockets: HTTP_SERVER_SOCKETS.anyone,
    filter: http('verified')
  },
  plaintext: { match: CLEAR, filter: http('unknown') },
  'plaintext-http': { match: { ...CLEAR, ...HTTP_FOUND }, filter: http('unknown') },
  untouched: { match: CLEAR, filter: tcp },
  'untouched-tls': { match: TLS, filter: tcp },
  'mtls-marked-rest': { match: MARKED, sockets: HTTP_SERVER_SOCKETS.proxies, filter: http('verified') },
  closed: { match: {} }
}

const MODES: Readonly<Record<MutualTlsMode, Mode>> = {
  // Never sent; if it were, nothing would be let in that should not be.
  [MutualTlsMode.UNSPECIFIED]: 'strict',
  [MutualTlsMode.DISABLE]: 'disable',
  [MutualTlsMode.PERMISSIVE]: 'permissive',
  [MutualTlsMode.STRICT]: 'strict'
}

const KINDS: Readonly<Record<Protocol, Kind>> = {
  [Protocol.UNSPECIFIED]: 'unknown',
  [Protocol.TCP]: 'tcp',
  [Protocol.HTTP]: 'http',
  [Protocol.HTTP2]: 'http',
  [Protocol.TLS]: 'tls'
}

// proto3 enums are open: a value that is not known here is one that a newer authority knows.
const declaredKind = (protocol: Protocol): Kind => KINDS[protocol] ?? 'unknown'

/** The kind of a port by what it declares, and by what callers may send there. */
function kindOf({ protocol, traffic }: Pick<InboundPort, 'protocol' | 'traffic'>): Kind {
  switch (traffic) {
    case 'any':
      return declaredKind(protocol)
    case 'http':
      return declaredKind(protocol) === 'http' ? 'http-only' : 'unknown-http-only'
    case 'none':
      return 'closed'
  }
}

/** What the chains of one port, or of all undeclared ports together, are made from. */
export interface InboundPort {
  /** Before the chain's own name; the port number, usually. */
  readonly name: string
  readonly protocol: Protocol
  readonly traffic: PortTraffic
  readonly mode: MutualTlsMode
  readonly minimumTls: MinimumTls
  readonly cluster: string
  /** The filter of the workload's login, in chains of HTTP. */
  readonly login: HttpFilter
  /** Matched on where one listener serves many ports. */
  readonly destinationPort?: number
}

export function inboundChains(port: InboundPort): readonly FilterChain[] {
  const destination = port.destinationPort === undefined ? {} : { destinationPort: port.destinationPort }
  const mode = MODES[port.mode] ?? 'strict'
  return CHAINS[kindOf(port)][mode].map(chain => {
    const { match, sockets, filter } = CONTENT[chain]
    return create(FilterChainSchema, {
      name: `${port.name}/${chain}`,
      filterChainMatch: { ...match, ...destination },
      ...(sockets === undefined ? {} : { transportSocket: sockets[port.minimumTls] }),
      filters: filter === undefined ? [] : [filter(port.cluster, port.login)]
    })
  })
}

/** What a workload accepts on a port: the port's own mode, or the workload's. */
export const modeOf = (workload: Workload, port: number): MutualTlsMode => workload.portModes[port] ?? workload.mode
