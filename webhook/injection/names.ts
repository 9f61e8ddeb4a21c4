import { BOOTSTRAP_FILE, VOLUME_MOUNT } from '../../shared/bootstrap/index.ts'

// What Countersign adds to a pod is found again by these names; the agent and the charts use the same ones.

export const PREFIX = 'countersign.dev/'
export const INJECT_LABEL = `${PREFIX}inject`

export const PROXY_CONTAINER = 'countersign-proxy'
export const PROXY_USER = 1337

export const VOLUME = 'countersign'
export const CSI_DRIVER = 'csi.countersign.dev'
export const MOUNT_PATH = VOLUME_MOUNT
export const BOOTSTRAP_PATH = `${MOUNT_PATH}/${BOOTSTRAP_FILE}`

/** The ports that the proxy needs in the pod's network namespace, by what for. */
export const PROXY_PORTS = { outbound: 15001, inbound: 15006, probes: 15020, readiness: 15021, metrics: 15090 } as const
