import type { PolicyIdentity } from './policy-identity.ts'

/** What a workload accepts. UNSET: what the next wider policy says (workload, namespace, mesh; then PERMISSIVE). */
export type MutualTlsMode = 'UNSET' | 'DISABLE' | 'PERMISSIVE' | 'STRICT'

export const MUTUAL_TLS_MODES: readonly MutualTlsMode[] = ['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT']

/** A PeerAuthentication of security.istio.io, checked and frozen. */
export interface PeerAuthentication extends PolicyIdentity {
  readonly apiVersion: 'security.istio.io/v1' | 'security.istio.io/v1beta1'
  readonly mode: MutualTlsMode
  /** Modes of single ports of the workload (not of a Service), 1 to 65535; only with a selector. */
  readonly portModes: ReadonlyMap<number, MutualTlsMode>
}
