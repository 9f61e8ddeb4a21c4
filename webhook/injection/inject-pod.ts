import type { Operation } from 'fast-json-patch'
import { floorOf, NO_FLOOR } from '../../shared/floor/index.ts'
import { type Container, isMirror, type Pod, type Volume } from '../pod/index.ts'
import { readAnnotations } from './annotations.ts'
import { otherProxies, proxyConflicts } from './conflicts.ts'
import { findExisting } from './existing.ts'
import { movedToFront, refusedAnnotations, refusedImage, refusedProxy, refusedSkip } from './floor.ts'
import { attributeProblems, rewriteProbes, UNTOUCHED } from './probes.ts'
import { proxyContainer, proxyVolume } from './proxy.ts'
import type { InjectionSettings } from './settings.ts'
import { labelProblems, type Skip, skipReason } from './skip.ts'
import { foreignVolumes } from './volumes.ts'

export type InjectionResult =
  | { readonly kind: 'patch'; readonly patch: readonly Operation[] }
  | Skip
  /** Everything that stands in the way, each as a sentence, and all of it as one message. */
  | { readonly kind: 'refuse'; readonly problems: readonly string[]; readonly message: string }

const ALREADY_INJECTED: Skip = {
  kind: 'skip',
  reason: 'already-injected',
  message: 'it has the container and the volume already',
  unexpected: false
}

/**
 * Decides what happens to a pod of which the API server asks: the JSON patch (RFC 6902) that adds the proxy and its
 * volume and sends probes to it, or why it is left alone, or why it must not run like this.
 *
 * @param namespace of the request: a pod made by a controller may not name its own yet
 */
export function injectPod(pod: Pod, namespace: string, settings: InjectionSettings): InjectionResult {
  const floor = floorOf(settings.floor ?? NO_FLOOR, namespace)
  const foreign = isMirror(pod) ? [] : foreignVolumes(pod)
  const skip = skipReason(pod, namespace, settings)
  if (skip !== undefined) return refusal([...foreign, ...refusedSkip(skip.reason, floor)]) ?? skip
  const { wishes, problems: annotationProblems } = readAnnotations(pod, settings)
  const existing = findExisting(pod, proxyVolume(wishes))
  const probes = wishes.rewriteProbes
    ? rewriteProbes(pod, existing.kind === 'complete' ? existing.volume : undefined)
    : UNTOUCHED
  const volume = proxyVolume(wishes, probes.attribute)
  const probeProblems = [...probes.problems, ...attributeProblems(volume)]
  // Of a pod that was injected before as well: whoever brings the proxy along has not been asked yet.
  const conflicts = [...labelProblems(pod), ...otherProxies(pod), ...proxyConflicts(pod)]
  const container = proxyContainer(settings, wishes)
  const open = [...foreign, ...refusedAnnotations(pod, floor), ...refusedProxy(pod, container, floor)]
  const moves = existing.kind === 'complete' ? movedToFront(pod, floor) : []
  const reasons = [...conflicts, ...open, ...probes.operations, ...probeProblems, ...moves]
  if (existing.kind === 'complete' && reasons.length === 0) return ALREADY_INJECTED
  const refused = refusal([
    ...conflicts,
    ...open,
    ...(existing.kind === 'foreign' ? existing.problems : []),
    ...annotationProblems,
    ...probeProblems
  ])
  if (refused !== undefined) return refused
  const renewed = existing.kind === 'complete' && probes.operations.length > 0
  const rest =
    existing.kind === 'complete'
      ? [...(renewed ? [replacement(pod, existing.volume, volume)] : []), ...moves]
      : additions(pod, container, volume)
  // Probes first: they are where they were until a container is put before them.
  return { kind: 'patch', patch: [...probes.operations, ...rest] }
}

/** Everything that stands in the way of a change of a pod; undefined where nothing does. */
export function refusePodChange(
  before: Pod,
  after: Pod,
  namespace: string,
  { floor = NO_FLOOR, image, excludedNamespaces }: InjectionSettings
): InjectionResult | undefined {
  if (excludedNamespaces.has(namespace)) return undefined
  return refusal(refusedImage(before, after, image, floorOf(floor, namespace)))
}

function refusal(problems: readonly string[]): InjectionResult | undefined {
  return problems.length === 0 ? undefined : { kind: 'refuse', problems, message: problems.join('; ') }
}

// Operations are written and not computed: a difference between two lists would rewrite every init container in order
// to move it by one place, and nobody could see from the patch that nothing else was touched.
function additions({ spec }: Pod, container: Container, volume: Volume): Operation[] {
  return [
    spec?.initContainers
      ? { op: 'add', path: '/spec/initContainers/0', value: container }
      : { op: 'add', path: '/spec/initContainers', value: [container] },
    spec?.volumes
      ? { op: 'add', path: '/spec/volumes/-', value: volume }
      : { op: 'add', path: '/spec/volumes', value: [volume] }
  ]
}

// Of a pod that was injected before: another webhook has since added a container with a probe.
function replacement({ spec }: Pod, before: Volume, { csi }: Volume): Operation {
  const index = spec?.volumes?.indexOf(before) ?? -1
  return { op: 'add', path: `/spec/volumes/${index}/csi/volumeAttributes`, value: csi?.volumeAttributes ?? {} }
}
