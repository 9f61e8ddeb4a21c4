/** The ports that the proxy needs in its pod's network namespace, by what for. */
export const PROXY_PORTS = { outbound: 15001, inbound: 15006, probes: 15020, readiness: 15021, metrics: 15090 } as const

/** Whom the proxy runs as, and nothing else in its pod: capture tells its connections from others by it. */
export const PROXY_USER = 1337

/**
 * The addresses from which the proxy connects to the applications of its pod. Documentation addresses (RFC 5737,
 * RFC 3849): no network uses them, and no software trusts them, as much of it trusts loopback, link-local and private
 * addresses. They are local routes in the pod's network namespace and are assigned to no interface.
 */
export const DELIVERY_SOURCE = { ipv4: '192.0.2.6', ipv6: '2001:db8::6' } as const
