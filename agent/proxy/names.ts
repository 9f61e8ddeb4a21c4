import { BOOTSTRAP_CLUSTERS, PROXY_PORTS } from '../../shared/bootstrap/index.ts'
import type { Probe } from '../../shared/probes/index.ts'

/** Ports that the proxy itself listens on; no workload port of the same number is ever served. */
export const PORTS = PROXY_PORTS

const RESERVED: ReadonlySet<number> = new Set(Object.values(PORTS))

export function isReserved(port: number): boolean {
  return RESERVED.has(port)
}

/** Names that other rooms or a bootstrap file refer to. Changing one is a change for every running proxy. */
export const NAMES = {
  secret: {
    /** The pod's certificate and key, also served under its SPIFFE ID. */
    identity: 'default',
    /** Roots of the mesh's own trust domain. */
    ownTrust: 'ROOTCA',
    /** Roots of every trust domain that the mesh accepts, each for its own names only. */
    allTrust: 'ALL',
    /** Roots of the web, for issuers of tokens. */
    webTrust: 'web-roots'
  },
  listener: {
    outbound: 'outbound',
    undeclared: 'outbound-undeclared',
    inbound: 'inbound',
    readiness: 'readiness',
    metrics: 'metrics',
    probes: 'probes',
    loginSecrets: 'login-secrets'
  },
  cluster: {
    ...BOOTSTRAP_CLUSTERS,
    /** To the listener that looks at the first bytes of what goes to ports that declare nothing. */
    undeclared: 'outbound-undeclared',
    /** To wherever the connection was going, as it is. */
    passthrough: 'passthrough',
    /** To the application that the connection was going to, with the source address that capture lets through. */
    inbound: 'inbound',
    inboundHttp2: 'inbound-http2'
  }
} as const

/** The listener of one workload port where nothing is redirected. */
export const inboundListenerName = (port: number): string => `inbound/${port}`

/** The cluster behind that listener. */
export const inboundClusterName = (port: number): string => `inbound/${port}`

/** The cluster by which a port of the application is probed: one for each way of asking. */
export const probeClusterName = (probe: Probe): string =>
  `probe/${probe.protocol === 'http' ? probe.scheme.toLowerCase() : probe.protocol}/${probe.port}`

/** The cluster of one port of a Service; its endpoints have the same name. */
export const outboundClusterName = (namespace: string, service: string, port: number): string =>
  `outbound/${namespace}/${service}/${port}`

/**
 * The cluster for connections to the addresses of pods with this SPIFFE ID, and the chain that leads there:
 * `direct/mesh.test/ns/shop/sa/orders/http`.
 */
export const directClusterName = (identity: string, kind: string): string =>
  `direct/${identity.replace(/^spiffe:\/\//, '')}/${kind}`

/** The secret that demands this SPIFFE ID alone. */
export const peerSecretName = (identity: string): string => `peer/${identity}`

/** The secret that says who may serve a Service. */
export const peersSecretName = (namespace: string, service: string): string => `peers/${namespace}/${service}`

/** The secrets of a login, by the name of its LoginSecret. */
export const clientSecretName = (loginSecret: string): string => `login/${loginSecret}/client-secret`
export const sessionKeyName = (loginSecret: string): string => `login/${loginSecret}/session-key`

/** The route configuration of explicit proxying, as seen from one namespace. */
export const outboundRouteName = (namespace: string): string => `outbound/${namespace}`

/**
 * Ends the server name (RFC 6066, section 3) of every connection that a proxy of the mesh opens, and so marks it:
 * a port whose application speaks TLS itself can tell the mesh's TLS from the application's. ALPN is left to HTTP,
 * because Envoy picks the codec by what ALPN agreed on. `.internal` is reserved for private use.
 */
export const SNI_SUFFIX = 'countersign.internal'

/** Example: `5432.orders.shop.countersign.internal`. At most 3 × 63 + 28 characters, so always a valid host name. */
export const serverNameOf = (namespace: string, service: string, port: number): string =>
  `${port}.${service}.${namespace}.${SNI_SUFFIX}`

/** The server name of connections to the address of a pod: it marks them, and says nothing else. */
export const DIRECT_SERVER_NAME = `direct.${SNI_SUFFIX}`
