import { existsSync, readdirSync } from 'node:fs'
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ClusterError } from './cluster-error.ts'
import { NETNS_PREFIX } from './settings.ts'
import { until } from './until.ts'

const ROOT = '/sys/fs/cgroup'
const REMOVAL_MS = 10_000

const OWN = new RegExp(`^${NETNS_PREFIX}node\\d+$`)

// What the kubelet limits pods by.
const CONTROLLERS = ['cpu', 'cpuset', 'memory', 'pids', 'io', 'hugetlb']

/** A cgroup for everything that the kubelet of a node starts, in every hierarchy. */
export async function createCgroup(cgroup: string): Promise<void> {
  await (existsSync(join(ROOT, 'cgroup.controllers')) ? createUnified(cgroup) : createInHierarchies(cgroup))
}

// cgroup v2: what a cgroup may limit, the one above it has to hand down.
async function createUnified(cgroup: string): Promise<void> {
  const folder = join(ROOT, cgroup)
  await mkdir(folder, { recursive: true })
  for (const above of [ROOT, folder]) {
    const available = (await readFile(join(above, 'cgroup.controllers'), 'utf8')).trim().split(' ')
    for (const controller of CONTROLLERS.filter(name => available.includes(name)))
      await writeFile(join(above, 'cgroup.subtree_control'), `+${controller}`).catch(cause => {
        throw new ClusterError(
          `the cgroup controller ${controller} cannot be used: ${cause.message}`,
          'run this outside of a container, or in one with a cgroup namespace of its own and without other processes',
          { cause }
        )
      })
  }
}

// cgroup v1: one hierarchy per controller. A new group of cpuset has no CPU and no memory until it is given some.
async function createInHierarchies(cgroup: string): Promise<void> {
  for (const hierarchy of hierarchies()) {
    const folder = join(hierarchy, cgroup)
    await mkdir(folder, { recursive: true })
    for (const file of ['cpuset.cpus', 'cpuset.mems'].filter(name => existsSync(join(hierarchy, name))))
      await writeFile(join(folder, file), await readFile(join(hierarchy, file)))
  }
}

// On a mixed machine, the one called `unified` is a second, empty cgroup v2.
const hierarchies = (): string[] =>
  readdirSync(ROOT, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && entry.name !== 'unified')
    .map(entry => join(ROOT, entry.name))

/** Removes every cgroup of a cluster, whoever left it. The kernel takes a moment after the last process. */
export async function removeCgroups(): Promise<void> {
  const late = (): Error => new ClusterError(`cgroups under ${ROOT} are still used`, 'run the same command again')
  await until(
    async () => {
      const left = ownCgroups()
      for (const folder of left) await removeTree(folder).catch(() => {})
      return ownCgroups().length === 0 ? true : undefined
    },
    REMOVAL_MS,
    late
  )
}

function ownCgroups(): string[] {
  if (!existsSync(ROOT)) return []
  const places = [
    ROOT,
    ...readdirSync(ROOT, { withFileTypes: true })
      .filter(entry => entry.isDirectory())
      .map(entry => join(ROOT, entry.name))
  ]
  return places.flatMap(place =>
    readdirSync(place)
      .filter(name => OWN.test(name))
      .map(name => join(place, name))
  )
}

async function removeTree(folder: string): Promise<void> {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) await removeTree(join(folder, entry.name))
  await rmdir(folder)
}
