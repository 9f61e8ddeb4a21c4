import { existsSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { removeCgroups } from './cgroups.ts'
import { readDescription } from './cluster.ts'
import { ClusterError } from './cluster-error.ts'
import { restoreHostState } from './host-state.ts'
import { currentLock, releaseLock } from './lock.ts'
import { deleteNamespace, namespaceId, networkNamespaces } from './network.ts'
import { isAlive, processesIn, signal } from './process.ts'
import { refuseMachine } from './requirements.ts'
import { layoutOf, type Settings } from './settings.ts'
import { until } from './until.ts'

const END_MS = 20_000

type FolderSettings = Pick<Settings, 'folder' | 'isFolderNamed'>

/**
 * Takes down whatever there is of a cluster: its processes, namespaces, mounts, cgroups and files. Nothing is fine
 * too. It asks the kernel what there is, and not the files of the cluster, so it works after any accident.
 *
 * @param settings where its state is, when the lock does not say
 * @returns whether there was anything
 * @throws ClusterError when another folder was named than that of the cluster that is up, when another process is
 * bringing it up at this moment, or when something cannot be removed
 */
export async function stopCluster({ folder, isFolderNamed }: FolderSettings): Promise<boolean> {
  refuseMachine()
  const lock = currentLock()
  if (isFolderNamed && lock !== undefined && lock.folder !== folder)
    throw new ClusterError(`the cluster that is up has its state in ${lock.folder}, not in ${folder}`, 'unset CLUSTER')
  const layout = layoutOf(lock?.folder ?? folder)
  if (
    lock !== undefined &&
    lock.owner.pid !== process.pid &&
    isAlive(lock.owner) &&
    readDescription(layout)?.ready !== true
  )
    throw new ClusterError(`process ${lock.owner.pid} is bringing the cluster up`, 'wait for it, or end it first')
  const namespaces = networkNamespaces()
  const hasState = existsSync(layout.description)
  for (const netns of namespaces) await endProcesses(netns)
  for (const netns of namespaces) await deleteNamespace(netns)
  await removeCgroups()
  await restoreHostState(layout.hostState)
  // Only a folder that a cluster made: CLUSTER may name anything.
  if (hasState || isEmpty(layout.folder)) await rm(layout.folder, { recursive: true, force: true })
  releaseLock()
  return hasState || namespaces.length > 0
}

/**
 * Kills what runs in a network namespace. The first process of a machine is in it: with that, the kernel ends all
 * others of the machine, pods in namespaces of their own included, and forgets its mounts.
 */
async function endProcesses(netns: string): Promise<void> {
  const namespace = namespaceId(netns)
  if (namespace === undefined) return
  const late = (): Error =>
    new ClusterError(
      `processes ${processesIn(namespace).join(', ')} of ${netns} cannot be ended`,
      'run the same command again'
    )
  await until(
    () => {
      const running = processesIn(namespace)
      for (const pid of running) signal(pid, 'SIGKILL')
      return running.length === 0 ? true : undefined
    },
    END_MS,
    late
  )
}

const isEmpty = (folder: string): boolean => existsSync(folder) && readdirSync(folder).length === 0
