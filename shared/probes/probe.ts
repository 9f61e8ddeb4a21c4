/** Volume attribute that tells the agent what the kubelet would have asked. */
export const PROBES_ATTRIBUTE = 'countersign.dev/probes'

export const PROBE_KINDS = ['startup', 'readiness', 'liveness'] as const
export type ProbeKind = (typeof PROBE_KINDS)[number]

/** One httpGet probe as its author wrote it, with what the kubelet would have made of it. */
export interface Probe {
  readonly container: string
  readonly kind: ProbeKind
  /** On the pod's own address; 1 to 65535. */
  readonly port: number
  /** In origin-form (RFC 9112, section 3.2.1): with a slash at the start and perhaps a query, percent-encoded. */
  readonly path: string
  readonly scheme: 'HTTP' | 'HTTPS'
  /** What the application reads as Host; undefined: the pod's address and the port. */
  readonly host?: string | undefined
  /** In order; a name may come more than once. */
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** Where the kubelet asks for it, on the proxy's port. */
export const probePath = (container: string, kind: ProbeKind): string => `/app-health/${container}/${kind}`
