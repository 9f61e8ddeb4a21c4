/** Volume attribute that tells the agent what the kubelet would have asked. */
export const PROBES_ATTRIBUTE = 'countersign.dev/probes'

/** When the kubelet asks: probes again and again, the hooks of a container's life once. */
export const PROBE_KINDS = ['startup', 'readiness', 'liveness', 'postStart', 'preStop'] as const
export type ProbeKind = (typeof PROBE_KINDS)[number]

const HOOKS: ReadonlySet<ProbeKind> = new Set<ProbeKind>(['postStart', 'preStop'])

/** Whether it is a hook, of which any answer is a success, and not a probe, which judges the answer. */
export const isHook = (kind: ProbeKind): boolean => HOOKS.has(kind)

interface Asked {
  readonly container: string
  readonly kind: ProbeKind
  /** On the pod's own address; 1 to 65535. */
  readonly port: number
}

/** One probe or hook of kind httpGet as its author wrote it, with what the kubelet would have made of it. */
export interface HttpProbe extends Asked {
  readonly protocol: 'http'
  /** In origin-form (RFC 9112, section 3.2.1): with a slash at the start and perhaps a query, percent-encoded. */
  readonly path: string
  readonly scheme: 'HTTP' | 'HTTPS'
  /** What the application reads as Host; undefined: the pod's address and the port. */
  readonly host?: string | undefined
  /** In order; a name may come more than once. */
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** One probe of kind tcpSocket: whether the application accepts a connection. Never a hook. */
export interface TcpProbe extends Asked {
  readonly protocol: 'tcp'
}

/** One probe of kind grpc: what the application says of its health (grpc.health.v1). Never a hook. */
export interface GrpcProbe extends Asked {
  readonly protocol: 'grpc'
  /** Of whose health; empty: of the whole server's. */
  readonly service: string
}

export type Probe = HttpProbe | TcpProbe | GrpcProbe

/** Where the kubelet asks for it, on the proxy's port. */
export const probePath = (container: string, kind: ProbeKind): string => `/app-health/${container}/${kind}`
