import { createBootstrap } from './bootstrap.ts'

/** Where a pod sees its volume. */
export const VOLUME_MOUNT = '/run/countersign'

/** The agent's socket in the volume. */
export const AGENT_SOCKET = 'agent.sock'

/** What Envoy starts from. */
export const BOOTSTRAP_FILE = 'envoy.json'

/** The proxy is user 1337 of its pod, who writes the file another; there is no secret in it. */
export const BOOTSTRAP_MODE = 0o644

/** The text of the bootstrap file of a pod that sees its volume at the mount. */
export function podBootstrap(pod: { readonly uid: string; readonly namespace: string; readonly name: string }): string {
  const bootstrap = createBootstrap({
    nodeId: pod.uid,
    nodeCluster: `${pod.namespace}/${pod.name}`,
    socketPath: `${VOLUME_MOUNT}/${AGENT_SOCKET}`
  })
  return `${JSON.stringify(bootstrap, null, 2)}\n`
}
