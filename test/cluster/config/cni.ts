import type { NodeName } from '../settings.ts'

/**
 * A link of its own to the node for every pod. With a bridge, answers between two pods of a node would miss the
 * address translation of Services, unless the kernel passes bridged packets to it.
 *
 * @param addresses the folder in which it is noted which addresses are taken
 */
export function cniConfig({ podSubnet }: NodeName, addresses: string): string {
  return JSON.stringify({
    cniVersion: '1.0.0',
    name: 'pods',
    plugins: [
      {
        type: 'ptp',
        ipam: {
          type: 'host-local',
          dataDir: addresses,
          ranges: [[{ subnet: podSubnet }]],
          routes: [{ dst: '0.0.0.0/0' }]
        }
      },
      { type: 'portmap', capabilities: { portMappings: true } }
    ]
  })
}
