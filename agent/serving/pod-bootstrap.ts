import { join } from 'node:path'
import { createBootstrap } from '../proxy/index.ts'
import type { Volume } from '../volume/index.ts'

/** Where a pod sees its volume: the webhook mounts it there. */
const MOUNT = '/run/countersign'

/**
 * The text of a volume's envoy.json. With `redirect` the proxy is in a pod and sees its volume at the mount; with
 * `explicit` it is a process of this machine and sees the same folder as we do.
 *
 * @throws CountersignError ERR_ADDRESS_UNUSABLE when a socket's path is too long
 */
export function podBootstrap(volume: Volume, interception: 'redirect' | 'explicit'): string {
  const { uid, namespace, name } = volume.pod
  const shared = { nodeId: uid, nodeCluster: `${namespace}/${name}` }
  const bootstrap =
    interception === 'redirect'
      ? createBootstrap({ ...shared, socketPath: join(MOUNT, 'agent.sock') })
      : createBootstrap({
          ...shared,
          socketPath: join(volume.targetPath, 'agent.sock'),
          adminSocket: join(volume.targetPath, 'admin.sock')
        })
  return `${JSON.stringify(bootstrap, null, 2)}\n`
}
