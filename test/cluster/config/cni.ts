import type { NodeName } from '../settings.ts'

/** The name of `linkPlugin` among the plugins. */
export const LINK_PLUGIN = 'ptp-at-once'

/**
 * The plugin that makes the link of a pod: ptp, and before it, in the pod, no asking whether somebody else has its IPv6
 * address already. Nobody has, and asking takes two seconds.
 *
 * @param folder of the plugins
 */
export const linkPlugin = (folder: string): string => `#!/bin/sh
if [ "$CNI_COMMAND" = ADD ]; then
  nsenter --net="$CNI_NETNS" -- sh -c 'echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad' >&2
fi
exec ${folder}/ptp
`

/**
 * A link of its own to the node for every pod. With a bridge, answers between two pods of a node would miss the
 * address translation of Services, unless the kernel passes bridged packets to it.
 *
 * @param addresses the folder in which it is noted which addresses are taken
 */
export function cniConfig({ podSubnet, ipv6PodSubnet }: NodeName, addresses: string): string {
  return JSON.stringify({
    cniVersion: '1.0.0',
    name: 'pods',
    plugins: [
      {
        type: LINK_PLUGIN,
        ipam: {
          type: 'host-local',
          dataDir: addresses,
          ranges: [[{ subnet: podSubnet }], [{ subnet: ipv6PodSubnet }]],
          routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }]
        }
      },
      { type: 'portmap', capabilities: { portMappings: true } }
    ]
  })
}
