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
 * The network of a cluster: one bridge, on the machine of the control plane, that carries every node, and a route to
 * the pods of each. Nothing leads out of it.
 */
export function networkCommands(nodes: readonly NodeName[]): NetworkCommands[] {
  const [first] = nodes
  const control = [
    'link set lo up',
    `link add ${BRIDGE} type bridge`,
    `addr add ${CONTROL.address}/24 dev ${BRIDGE}`,
    `link set ${BRIDGE} up`,
    ...nodes.flatMap(({ name, netns, address, podSubnet }) => [
      `link add ${name} type veth peer name eth0 netns ${netns}`,
      `link set ${name} master ${BRIDGE} up`,
      `route add ${podSubnet} via ${address}`
    ]),
    // The API server calls webhooks by their Services, and kube-proxy runs on nodes only.
    ...(first === undefined ? [] : [`route add ${NETWORK.services} via ${first.address}`])
  ]
  const ofNode = (node: NodeName): string[] => [
    'link set lo up',
    `addr add ${node.address}/24 dev eth0`,
    'link set eth0 up',
    `route add default via ${CONTROL.address}`,
    ...nodes.filter(other => other !== node).map(other => `route add ${other.podSubnet} via ${other.address}`)
  ]
  return [
    { netns: CONTROL.netns, commands: control },
    ...nodes.map(node => ({ netns: node.netns, commands: ofNode(node) }))
  ]
}

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
