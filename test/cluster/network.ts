import { existsSync, readdirSync, statSync } from 'node:fs'
import { outcomeOf, run } from './run.ts'
import { CONTROL, type MachineName, NETNS_PREFIX, NETWORK, type NodeName } from './settings.ts'

export const NETNS_FOLDER = '/run/netns'
const BRIDGE = 'nodes'

/** What `ip -batch` does in one network namespace. */
export interface NetworkCommands {
  readonly netns: string
  readonly commands: readonly string[]
}

/**
 * The network of a cluster: one bridge, on the machine of the control plane, that carries every node, and routes to
 * the pods of each, all of it in both address families. Nothing leads out of it.
 */
export function networkCommands(nodes: readonly NodeName[]): NetworkCommands[] {
  const [first] = nodes
  const control = [
    'link set lo up',
    `link add ${BRIDGE} type bridge`,
    ...addressesOn(BRIDGE, CONTROL),
    `link set ${BRIDGE} up`,
    ...nodes.flatMap(node => [
      `link add ${node.name} type veth peer name eth0 netns ${node.netns}`,
      `link set ${node.name} master ${BRIDGE} up`,
      ...podRoutes(node)
    ]),
    // The API server calls webhooks by their Services, and kube-proxy runs on nodes only.
    ...(first === undefined
      ? []
      : [
          `route add ${NETWORK.services} via ${first.address}`,
          `route add ${NETWORK.ipv6Services} via ${first.ipv6Address}`
        ])
  ]
  const ofNode = (node: NodeName): string[] => [
    'link set lo up',
    ...addressesOn('eth0', node),
    'link set eth0 up',
    `route add default via ${CONTROL.address}`,
    `route add default via ${CONTROL.ipv6Address}`,
    ...nodes.filter(other => other !== node).flatMap(podRoutes)
  ]
  return [
    { netns: CONTROL.netns, commands: control },
    ...nodes.map(node => ({ netns: node.netns, commands: ofNode(node) }))
  ]
}

// Nobody else has the address: it need not be asked for, which takes a second.
const addressesOn = (device: string, { address, ipv6Address }: MachineName): string[] => [
  `addr add ${address}/24 dev ${device}`,
  `addr add ${ipv6Address}/64 dev ${device} nodad`
]

const podRoutes = ({ podSubnet, ipv6PodSubnet, address, ipv6Address }: NodeName): string[] => [
  `route add ${podSubnet} via ${address}`,
  `route add ${ipv6PodSubnet} via ${ipv6Address}`
]

/** Makes the network namespaces of a cluster and connects them. */
export async function createNetwork(nodes: readonly NodeName[]): Promise<void> {
  for (const { netns } of [CONTROL, ...nodes] satisfies MachineName[]) await run('ip', ['netns', 'add', netns])
  for (const { netns, commands } of networkCommands(nodes))
    await run('ip', ['-n', netns, '-batch', '-'], { input: `${commands.join('\n')}\n` })
}

/** The network namespaces of a cluster that are there, whoever left them. */
export function networkNamespaces(): string[] {
  if (!existsSync(NETNS_FOLDER)) return []
  const ours = new RegExp(`^${NETNS_PREFIX}(control|node\\d+)$`)
  return readdirSync(NETNS_FOLDER).filter(name => ours.test(name))
}

/** A namespace in the words of /proc, or `undefined` when only its file is left of it, as after a restart. */
export function namespaceId(netns: string): string | undefined {
  const found = statSync(`${NETNS_FOLDER}/${netns}`, { throwIfNoEntry: false })
  return found === undefined ? undefined : `net:[${found.ino}]`
}

/** Removes a namespace, with the links that are in it. */
export async function deleteNamespace(netns: string): Promise<void> {
  await outcomeOf('ip', ['netns', 'del', netns])
}
