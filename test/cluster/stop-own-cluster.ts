import { currentLock, type Lock } from './lock.ts'
import { identify, type ProcessId } from './process.ts'
import { stopCluster } from './stop-cluster.ts'

/**
 * Takes down the cluster that this process brought up, or began to, wherever it got to. Where bringing it up was
 * refused, as while there is another one, there is nothing of its own, and what there is stays.
 *
 * @throws ClusterError when something cannot be removed
 */
export async function stopOwnCluster(): Promise<void> {
  const lock = currentLock()
  if (isOwn(lock, identify(process.pid))) await stopCluster({ folder: lock.folder, isFolderNamed: true })
}

/** Does the lock stand for a cluster of that process? A start that is refused takes none, or gives it back. */
export const isOwn = (lock: Lock | undefined, self: ProcessId | undefined): lock is Lock =>
  lock !== undefined && lock.owner.pid === self?.pid && lock.owner.startedAt === self.startedAt
