import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { ClusterError } from './cluster-error.ts'
import { networkNamespaces } from './network.ts'
import { identify, isAlive, type ProcessId } from './process.ts'

// Names of network namespaces and cgroups are those of the whole machine: there can be one cluster.
const FILE = '/run/countersign-cluster.json'

/** Whose cluster is up, or being brought up. */
export interface Lock {
  readonly folder: string
  /** The process that brings it up, or did. */
  readonly owner: ProcessId
}

/** The lock, while anything is left of what it stands for. */
export function currentLock(): Lock | undefined {
  if (!existsSync(FILE)) return undefined
  try {
    const lock = JSON.parse(readFileSync(FILE, 'utf8')) as Lock
    return isAlive(lock.owner) || networkNamespaces().length > 0 ? lock : undefined
  } catch (cause) {
    throw new ClusterError(`${FILE} cannot be read`, `remove ${FILE} and run \`npm run cluster down\``, { cause })
  }
}

/**
 * Claims this machine for a cluster.
 *
 * @throws ClusterError when there is one, or what is left of one
 */
export function takeLock(folder: string): void {
  const owner = identify(process.pid)
  if (owner === undefined) throw new TypeError('this process does not run')
  const text = JSON.stringify({ folder, owner } satisfies Lock)
  if (!writeNew(text)) {
    refuseSecond(currentLock()?.folder)
    // Of a cluster that is gone, as after a restart of the machine.
    releaseLock()
    if (!writeNew(text)) refuseSecond(currentLock()?.folder ?? 'a folder of its own')
  }
  if (networkNamespaces().length === 0) return
  releaseLock()
  throw new ClusterError('something is left of an earlier cluster', 'run `npm run cluster down` first')
}

function writeNew(text: string): boolean {
  try {
    writeFileSync(FILE, text, { flag: 'wx' })
    return true
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw thrown
  }
}

function refuseSecond(folder: string | undefined): void {
  if (folder === undefined) return
  throw new ClusterError(
    `there is a cluster already, or one is being brought up, with its state in ${folder}`,
    '`npm run cluster status` shows it, `npm run cluster down` takes it down'
  )
}

export const releaseLock = (): void => rmSync(FILE, { force: true })
