import { join, resolve } from 'node:path'
import { SettingsError } from './cluster-error.ts'

/** The minor versions of Kubernetes that a cluster can be. */
export const KUBERNETES_VERSIONS = ['1.34', '1.37'] as const
export type KubernetesVersion = (typeof KUBERNETES_VERSIONS)[number]

/** What the environment and the command line can say. */
export interface Settings {
  /** Where the cluster keeps everything that it writes. */
  readonly folder: string
  /** Somebody chose that folder. */
  readonly isFolderNamed: boolean
  readonly nodes: number
  readonly kubernetes: KubernetesVersion
  /** A folder with the programs, packed by xz; without it they come from the cache or are built. */
  readonly tools: string | undefined
  /** May Debian packages that are missing be installed? */
  readonly installPackages: boolean
}

type Environment = Readonly<Record<string, string | undefined>>

const DEFAULT_FOLDER = '/var/tmp/countersign-cluster'
const MOST_NODES = 5

// The nodes see folders of their own there, and would not see the state.
const HIDDEN = ['/var/lib', '/var/log', '/run', '/var/run', '/proc', '/sys', '/dev']

// The address of a Unix socket has 107 bytes at most; the longest under the state folder is this much longer.
const LONGEST_FOLDER = 60

/**
 * Reads the environment: CLUSTER, NODES, KUBERNETES, COUNTERSIGN_TOOLS, COUNTERSIGN_CLUSTER_INSTALL. A variable that
 * is set to nothing counts as not set.
 *
 * @throws SettingsError naming the variable and what is allowed
 */
export function readSettings(env: Environment = process.env): Settings {
  const value = (name: string): string | undefined => env[name] || undefined
  return {
    folder: folder(value('CLUSTER') ?? DEFAULT_FOLDER),
    isFolderNamed: value('CLUSTER') !== undefined,
    nodes: nodes(value('NODES') ?? '2'),
    kubernetes: kubernetes(value('KUBERNETES') ?? KUBERNETES_VERSIONS[0]),
    tools: env['COUNTERSIGN_TOOLS'] ? resolve(env['COUNTERSIGN_TOOLS']) : undefined,
    installPackages: flag('COUNTERSIGN_CLUSTER_INSTALL', value('COUNTERSIGN_CLUSTER_INSTALL'))
  }
}

function folder(text: string): string {
  const path = resolve(text)
  const wrong = (why: string): SettingsError =>
    new SettingsError(
      `CLUSTER is ${path}, ${why}`,
      `unset CLUSTER (then it is ${DEFAULT_FOLDER}), or choose another folder`
    )
  const hidden = HIDDEN.find(mount => path === mount || path.startsWith(`${mount}/`))
  if (hidden !== undefined) throw wrong(`and the nodes have a ${hidden} of their own`)
  if (path === '/' || path.length > LONGEST_FOLDER) throw wrong(`expected a folder of at most ${LONGEST_FOLDER} bytes`)
  if (!/^[\w./-]+$/.test(path)) throw wrong('expected letters, digits, dots, dashes and slashes')
  return path
}

function nodes(text: string): number {
  if (/^[1-9]$/.test(text) && Number(text) <= MOST_NODES) return Number(text)
  throw new SettingsError(`NODES is ${text}, expected a number from 1 to ${MOST_NODES}`, 'correct NODES or unset it')
}

function kubernetes(text: string): KubernetesVersion {
  const found = KUBERNETES_VERSIONS.find(version => version === text)
  if (found !== undefined) return found
  throw new SettingsError(
    `KUBERNETES is ${text}, expected ${KUBERNETES_VERSIONS.join(' or ')}`,
    'correct KUBERNETES or unset it'
  )
}

function flag(name: string, text: string | undefined): boolean {
  if (text === undefined || text === '0') return false
  if (text === '1') return true
  throw new SettingsError(`${name} is ${text}, expected 1 or 0`, `correct ${name} or unset it`)
}

/** The names and addresses of a machine; the control plane is one too. */
export interface MachineName {
  readonly name: string
  /** Its network namespace, as `ip netns` calls it. */
  readonly netns: string
  /** Its primary address, IPv4. */
  readonly address: string
  readonly ipv6Address: string
}

export interface NodeName extends MachineName {
  /** The addresses of its pods, of which each has one of either family. */
  readonly podSubnet: string
  readonly ipv6PodSubnet: string
  /** Where its cgroups are, from the root of every hierarchy. */
  readonly cgroup: string
}

/** All addresses are inside network namespaces of the cluster: they collide with nothing. IPv4 comes first. */
export const NETWORK = {
  services: '10.96.0.0/16',
  ipv6Services: 'fd00:10:96::/112',
  kubernetesService: '10.96.0.1',
  dnsService: '10.96.0.10',
  pods: '10.244.0.0/16',
  ipv6Pods: 'fd00:10:244::/48',
  domain: 'cluster.local'
} as const

export const NETNS_PREFIX = 'countersign-'

export const CONTROL: MachineName = {
  name: 'control',
  netns: `${NETNS_PREFIX}control`,
  address: '192.168.99.1',
  ipv6Address: 'fd00:192:168:99::1'
}

export const SERVER = `https://${CONTROL.address}:6443`

/** The node of an index from 0. */
export function nodeName(index: number): NodeName {
  const name = `node${index}`
  return {
    name,
    netns: `${NETNS_PREFIX}${name}`,
    address: `192.168.99.${index + 10}`,
    ipv6Address: `fd00:192:168:99::${index + 10}`,
    podSubnet: `10.244.${index}.0/24`,
    ipv6PodSubnet: `fd00:10:244:${index}::/64`,
    cgroup: `/${NETNS_PREFIX}${name}`
  }
}

export const nodeNames = (count: number): NodeName[] => Array.from({ length: count }, (_, index) => nodeName(index))

/** The files of a cluster, by what they are. */
export interface Layout {
  readonly folder: string
  readonly description: string
  readonly kube: string
  readonly coredns: string
  readonly helm: string
  readonly kubeconfig: string
  readonly pki: (name: string) => string
  readonly machine: (name: string) => string
  readonly hostState: string
  /** What kubectl and helm would otherwise keep in the home of the user. */
  readonly home: string
}

export function layoutOf(folder: string): Layout {
  return {
    folder,
    description: join(folder, 'cluster.json'),
    kube: join(folder, 'bin/kube'),
    coredns: join(folder, 'bin/coredns'),
    helm: join(folder, 'bin/helm'),
    kubeconfig: join(folder, 'kubeconfig'),
    pki: name => join(folder, 'pki', name),
    machine: name => join(folder, name),
    hostState: join(folder, 'host-state.json'),
    home: join(folder, 'home')
  }
}
