import { BOOTSTRAP_FILE, BOOTSTRAP_MODE, podBootstrap } from '../../shared/bootstrap/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import {
  type ParsedVolumeRecord,
  readVolumeRecord,
  recordedVolumeIds,
  removeVolumeRecord,
  writeVolumeRecord
} from '../../shared/volume/index.ts'
import type { RequestedVolume } from './publish-request.ts'
import { parseTargetPath, targetPathForm } from './target-path.ts'
import { makeVolumeFolder, removeVolumeFolder, volumeFolderExists, writeIntoVolumeFolder } from './volume-folder.ts'

export interface PublishedVolumesOptions {
  /** The kubelet's folder of pods. */
  readonly podsFolder: string
  /** The folder of volume records. */
  readonly recordsFolder: string
  readonly log: Logger
}

/**
 * The volumes of this node, as they are on disk: a folder where the kubelet wants it, with the file that the pod's
 * proxy starts from, and a record for the agent.
 * There is no other state, so a restart forgets nothing and everything can be done twice.
 */
export class PublishedVolumes {
  readonly #options: PublishedVolumesOptions

  constructor(options: PublishedVolumesOptions) {
    this.#options = options
  }

  /**
   * Whether a pod may be using the volume already: there is a record, or a folder at a path that can be one of ours.
   * After the first publish began, an answer that is final would make the kubelet forget the volume.
   */
  isKnown(volumeId: string, targetPath: string): boolean {
    try {
      if (recordedVolumeIds(this.#options.recordsFolder).includes(volumeId)) return true
      return parseTargetPath(this.#options.podsFolder, targetPath) !== undefined && volumeFolderExists(targetPath)
    } catch {
      return true
    }
  }

  /**
   * Makes folder, bootstrap file and record, or refreshes the files of a volume that is there.
   *
   * @throws CountersignError ERR_VOLUME_UNAVAILABLE when the file system refuses, or the volume is another pod's
   */
  publish(volume: RequestedVolume): void {
    const { podsFolder, recordsFolder, log } = this.#options
    const { volumeId, targetPath, pod, token, tokenExpiresAt, attributes } = volume
    attempt(`volume ${volumeId} cannot be published`, () => {
      const existing = this.#readUsable(volumeId)
      if (existing !== undefined && !isSame(existing, volume))
        throw new Error(`it is at ${existing.targetPath}, of pod ${existing.pod.uid}: it never moves`)
      makeVolumeFolder(podsFolder, targetPath)
      // Written here and not by the agent: a proxy that starts while the agent is away waits for it. Without its file it
      // would end, and the kubelet start it again after ever longer pauses.
      const bootstrap = { name: BOOTSTRAP_FILE, content: podBootstrap(pod), mode: BOOTSTRAP_MODE }
      writeIntoVolumeFolder(podsFolder, targetPath, bootstrap)
      const changed = writeVolumeRecord(recordsFolder, {
        version: 1,
        volumeId,
        targetPath,
        pod,
        token: token.reveal(),
        tokenExpiresAt,
        attributes
      })
      if (existing === undefined) log.info({ volume: volumeId, pod, tokenExpiresAt }, 'volume published')
      else if (changed) log.debug({ volume: volumeId, pod, tokenExpiresAt }, 'volume refreshed')
    })
  }

  /**
   * Removes the record, then the folder; what is not there is removed already.
   *
   * @throws CountersignError ERR_VOLUME_REFUSED when the path is not one at which the kubelet wants volumes;
   *   ERR_VOLUME_UNAVAILABLE when the file system refuses
   */
  unpublish(volumeId: string, targetPath: string): void {
    const { podsFolder, recordsFolder, log } = this.#options
    const problems = [
      ...(volumeId === '' ? ['volume_id: required'] : []),
      ...(parseTargetPath(podsFolder, targetPath) ? [] : [`target_path: expected ${targetPathForm(podsFolder)}`])
    ]
    if (problems.length > 0)
      throw new CountersignError('ERR_VOLUME_REFUSED', `volume cannot be unpublished: ${problems.join('; ')}`, {
        facts: { problems }
      })
    attempt(`volume ${volumeId} cannot be unpublished`, () => {
      const known = recordedVolumeIds(recordsFolder).includes(volumeId)
      if (known && (this.#readUsable(volumeId)?.targetPath ?? targetPath) === targetPath)
        removeVolumeRecord(recordsFolder, volumeId)
      removeVolumeFolder(podsFolder, targetPath)
      log.info({ volume: volumeId }, 'volume unpublished')
    })
  }

  /**
   * Removes records whose folder is gone: nobody can connect there any more, and nobody will unpublish them.
   *
   * @returns the volumes of the records that were removed
   */
  removeOrphans(): readonly string[] {
    const { podsFolder, recordsFolder } = this.#options
    // Without the folder of pods nothing can be told about what should be in it.
    if (!volumeFolderExists(podsFolder)) return []
    const orphans = recordedVolumeIds(recordsFolder).filter(id => {
      const record = this.#readUsable(id)
      return record !== undefined && !volumeFolderExists(record.targetPath)
    })
    for (const id of orphans) removeVolumeRecord(recordsFolder, id)
    return orphans
  }

  // A record that cannot be used is as good as none: a publish replaces it, an unpublish removes it.
  #readUsable(volumeId: string): ParsedVolumeRecord | undefined {
    try {
      return readVolumeRecord(this.#options.recordsFolder, volumeId)
    } catch (thrown) {
      const err = CountersignError.from(thrown, 'ERR_VOLUME_INVALID', `volume record of ${volumeId}`)
      this.#options.log.warn({ err }, 'volume record cannot be used')
      return undefined
    }
  }
}

function isSame({ targetPath, pod }: ParsedVolumeRecord, wanted: RequestedVolume): boolean {
  return (
    targetPath === wanted.targetPath &&
    pod.uid === wanted.pod.uid &&
    pod.namespace === wanted.pod.namespace &&
    pod.name === wanted.pod.name &&
    pod.serviceAccount === wanted.pod.serviceAccount
  )
}

function attempt(what: string, act: () => void): void {
  try {
    act()
  } catch (thrown) {
    throw CountersignError.from(thrown, 'ERR_VOLUME_UNAVAILABLE', what)
  }
}
