/** The ports that the proxy needs in its pod's network namespace, by what for. */
export const PROXY_PORTS = { outbound: 15001, inbound: 15006, probes: 15020, readiness: 15021, metrics: 15090 } as const

/** Whom the proxy runs as, and nothing else in its pod: capture tells its connections from others by it. */
export const PROXY_USER = 1337
