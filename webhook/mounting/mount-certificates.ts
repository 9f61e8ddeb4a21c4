import type { Operation } from 'fast-json-patch'
import type { Pod } from '../pod/index.ts'
import { mountOperations, mountProblems } from './mounts.ts'
import { namedContainers } from './named-containers.ts'
import { type MountingSettings, type Skip, skipReason } from './skip.ts'
import { certificatesVolume, volumeOperations } from './volume.ts'

export type MountingResult =
  | { readonly kind: 'patch'; readonly patch: readonly Operation[] }
  | Skip
  /** Everything that stands in the way, each as a sentence, and all of it as one message. */
  | { readonly kind: 'refuse'; readonly problems: readonly string[]; readonly message: string }

const ALREADY_MOUNTED: Skip = {
  kind: 'skip',
  reason: 'already-mounted',
  message: 'it has the volume and the mounts already',
  unexpected: false
}

/**
 * Decides what happens to a pod of which the API server asks: the JSON patch (RFC 6902) that mounts the Secret of its
 * service account into the containers that it names, or why it is left alone, or why it must not run like this.
 *
 * @param namespace of the request: a pod made by a controller may not name its own yet
 */
export function mountCertificates(pod: Pod, namespace: string, settings: MountingSettings): MountingResult {
  const skip = skipReason(pod, namespace, settings)
  if (skip !== undefined) return skip
  const { containers, problems: wrongNames } = namedContainers(pod)
  const volume = certificatesVolume(pod, containers)
  const added = typeof volume === 'string' ? volume : volumeOperations(pod, volume)
  const problems = [...wrongNames, ...(typeof added === 'string' ? [added] : []), ...containers.flatMap(mountProblems)]
  if (problems.length > 0 || typeof added === 'string')
    return { kind: 'refuse', problems, message: problems.join('; ') }
  const patch = [...added, ...containers.flatMap(mountOperations)]
  return patch.length === 0 ? ALREADY_MOUNTED : { kind: 'patch', patch }
}
