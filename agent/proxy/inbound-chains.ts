import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { MutualTlsMode, Protocol, type Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  type Filter,
  type FilterChain,
  FilterChainSchema
} from '../../shared/proto/gen/envoy/config/listener/v3/listener_components_pb.js'
import { inboundHttp } from './http.ts'
import { SNI_SUFFIX } from './names.ts'
import { applicationRoute } from './route.ts'
import { tcpFilter } from './tcp.ts'
import { HTTP_SERVER_SOCKETS, type MinimumTls, type ServerSockets, TCP_SERVER_SOCKETS } from './tls.ts'

type Mode = 'strict' | 'permissive' | 'disable'
type Kind = 'http' | 'tcp' | 'tls' | 'unknown'

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

// No chain for a connection means that it is closed. An application's own TLS is no proof of who calls: strict ports
// refuse it, outside the mesh's. Permissive ports pass it on where there may be some: on those that are declared as TLS,
// and on those of which nothing was said.
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
  }
}

interface ChainContent {
  readonly match: MessageInitShape<typeof FilterChainSchema>['filterChainMatch'] & object
  readonly sockets?: ServerSockets
  readonly filter: (cluster: string) => Filter
}

const tcp = (cluster: string): Filter => tcpFilter('inbound', cluster)
const tcpOverMutualTls = (cluster: string): Filter => tcpFilter('inbound', cluster, { mutualTls: true })
const http =
  (peer: 'verified' | 'unknown') =>
  (cluster: string): Filter =>
    inboundHttp(peer, { routes: { case: 'routeConfig', value: applicationRoute(cluster) } })

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
  'untouched-tls': { match: TLS, filter: tcp }
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

/** What the chains of one port, or of all undeclared ports together, are made from. */
export interface InboundPort {
  /** Before the chain's own name; the port number, usually. */
  readonly name: string
  readonly protocol: Protocol
  readonly mode: MutualTlsMode
  readonly minimumTls: MinimumTls
  readonly cluster: string
  /** Matched on where one listener serves many ports. */
  readonly destinationPort?: number
}

export function inboundChains(port: InboundPort): readonly FilterChain[] {
  const destination = port.destinationPort === undefined ? {} : { destinationPort: port.destinationPort }
  // proto3 enums are open: a value that is not known here is one that a newer authority knows.
  const kind = KINDS[port.protocol] ?? 'unknown'
  const mode = MODES[port.mode] ?? 'strict'
  return CHAINS[kind][mode].map(chain => {
    const { match, sockets, filter } = CONTENT[chain]
    return create(FilterChainSchema, {
      name: `${port.name}/${chain}`,
      filterChainMatch: { ...match, ...destination },
      ...(sockets === undefined ? {} : { transportSocket: sockets[port.minimumTls] }),
      filters: [filter(port.cluster)]
    })
  })
}

/** What a workload accepts on a port: the port's own mode, or the workload's. */
export const modeOf = (workload: Workload, port: number): MutualTlsMode => workload.portModes[port] ?? workload.mode
