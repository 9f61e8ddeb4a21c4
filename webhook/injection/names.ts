import { BOOTSTRAP_FILE, PROXY_PORTS, PROXY_USER, VOLUME_MOUNT } from '../../shared/bootstrap/index.ts'
import { PROXY_CONTAINER } from '../pod/index.ts'

// What Countersign adds to a pod is found again by these names; the agent and the charts use the same ones.

export const PREFIX = 'countersign.dev/'
export const INJECT_LABEL = `${PREFIX}inject`

export const VOLUME = 'countersign'
export const CSI_DRIVER = 'csi.countersign.dev'
export const MOUNT_PATH = VOLUME_MOUNT
export const BOOTSTRAP_PATH = `${MOUNT_PATH}/${BOOTSTRAP_FILE}`

export { PROXY_CONTAINER, PROXY_PORTS, PROXY_USER }
