import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ClusterError } from './cluster-error.ts'
import type { Progress } from './progress.ts'
import { environment, run } from './run.ts'

/** A program, and the Debian package that has it. */
type Requirement = readonly [what: string, debianPackage: string]

/** What a node is made of. */
const REQUIRED: readonly Requirement[] = [
  ['containerd', 'containerd'],
  ['ctr', 'containerd'],
  ['runc', 'runc'],
  ['iptables', 'iptables'],
  ['nft', 'nftables'],
  ['ip', 'iproute2'],
  ['conntrack', 'conntrack'],
  ['busybox', 'busybox-static'],
  ['openssl', 'openssl'],
  ['xz', 'xz-utils'],
  ['nsenter', 'util-linux'],
  ['unshare', 'util-linux'],
  ['mount', 'mount']
]

/** What people use applications with: the tests of the login have one. */
export const BROWSER = ['chromium', 'chromium'] as const

/** What connects pods. */
export const CNI = {
  plugins: ['ptp', 'host-local', 'portmap', 'loopback'],
  debianPackage: 'containernetworking-plugins'
}

// Debian's folder, and the one that everybody else uses.
const CNI_FOLDERS = ['/usr/lib/cni', '/opt/cni/bin']

// There is no such file without IPv6.
const IPV6 = '/proc/net/if_inet6'

/** What is asked of the machine; a test answers otherwise. */
export interface Machinery {
  readonly platform: string
  readonly isRoot: boolean
  exists(file: string): boolean
}

const THIS_MACHINE: Machinery = {
  platform: process.platform,
  isRoot: process.getuid?.() === 0,
  exists: existsSync
}

/** @throws ClusterError when this cannot be a machine for a cluster, or who asks may not make one */
export function refuseMachine(machine: Machinery = THIS_MACHINE): void {
  if (machine.platform !== 'linux')
    throw new ClusterError(
      `a cluster needs Linux, and this is ${machine.platform}`,
      'use a Linux machine or a virtual one; `npm run demo` and `npm test` work here too'
    )
  if (!machine.isRoot)
    throw new ClusterError(
      'a cluster needs root: it makes network namespaces, mounts and cgroups',
      'run the same command as root, for example with `sudo -E env PATH="$PATH"`'
    )
  if (!machine.exists(IPV6))
    throw new ClusterError(
      'a cluster has both address families, and the kernel of this machine has no IPv6',
      'start it without `ipv6.disable=1`, or load the module ipv6'
    )
}

/** The Debian packages that are missing, in alphabetical order. `also`: what is needed beside a node. */
export function missingPackages(machine: Machinery = THIS_MACHINE, also: readonly Requirement[] = []): string[] {
  const folders = (environment()['PATH'] ?? '').split(':').filter(Boolean)
  const missing = [...REQUIRED, ...also].filter(([what]) => !folders.some(folder => machine.exists(join(folder, what))))
  const packages = missing.map(([, debianPackage]) => debianPackage)
  if (cniFolder(machine) === undefined) packages.push(CNI.debianPackage)
  return [...new Set(packages)].sort()
}

/** The folder with the CNI plugins, if all are there. */
export function cniFolder(machine: Machinery = THIS_MACHINE): string | undefined {
  return CNI_FOLDERS.find(folder => CNI.plugins.every(plugin => machine.exists(join(folder, plugin))))
}

/**
 * Sees to it that everything is installed.
 *
 * @param install install what is missing with apt-get, instead of saying so
 * @param also what is needed beside a node
 */
export async function provideRequirements(
  install: boolean,
  progress: Progress,
  also: readonly Requirement[] = []
): Promise<void> {
  const missing = missingPackages(THIS_MACHINE, also)
  if (missing.length === 0) return
  const command = `apt-get update && apt-get install -y --no-install-recommends ${missing.join(' ')}`
  const advice = `run \`${command}\`, or this command again with --install-packages`
  if (!install) throw new ClusterError(`these Debian packages are missing: ${missing.join(', ')}`, advice)
  if (!existsSync('/usr/bin/apt-get'))
    throw new ClusterError(
      `what these Debian packages contain is missing: ${missing.join(', ')}`,
      'install it by the means of this system, which is not Debian; the list in test/cluster/requirements.ts says what'
    )
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  await progress.step(`installing the Debian packages ${missing.join(', ')}`, async () => {
    await run('apt-get', ['-qq', 'update'], { env })
    await run('apt-get', ['-qq', 'install', '-y', '--no-install-recommends', ...missing], { env })
  })
  const still = missingPackages(THIS_MACHINE, also)
  if (still.length > 0)
    throw new ClusterError(`apt-get installed ${still.join(', ')}, and it is still missing`, 'see its output')
}
