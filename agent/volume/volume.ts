import type { Sensitive } from '../../shared/log/index.ts'
import type { Probe } from '../../shared/probes/index.ts'

/** A pod as the kubelet reported it. */
interface Pod {
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly serviceAccount: string
}

/** A pod's volume on this node. A record that is written again, with a fresh token for one, is a new object. */
export interface Volume {
  readonly id: string
  /** Folder that the pod sees as /run/countersign. */
  readonly targetPath: string
  readonly pod: Pod
  /** Bound to the pod, for the audience of the authority; undefined where the kubelet gave none. */
  readonly token: Sensitive<string> | undefined
  /** Those that are known and valid; written by the webhook or by a tenant, so they never decide identity. */
  readonly attributes: Readonly<Record<string, string>>
  /** Out of the attributes: what the kubelet asks the proxy instead of the application. */
  readonly probes: readonly Probe[]
}
