import type { Operation } from 'fast-json-patch'
import type { Container, Pod, Volume } from '../pod/index.ts'
import { readAnnotations } from './annotations.ts'
import { otherProxies, proxyConflicts } from './conflicts.ts'
import { findExisting } from './existing.ts'
import { attributeProblems, rewriteProbes, UNTOUCHED } from './probes.ts'
import { proxyContainer, proxyVolume } from './proxy.ts'
import type { InjectionSettings } from './settings.ts'
import { labelProblems, type Skip, skipReason } from './skip.ts'

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
  const skip = skipReason(pod, namespace, settings)
  if (skip !== undefined) return skip
  const { wishes, problems: annotationProblems } = readAnnotations(pod, settings)
  const existing = findExisting(pod, proxyVolume(wishes))
  const probes = wishes.rewriteProbes
    ? rewriteProbes(pod, existing.kind === 'complete' ? existing.volume : undefined)
    : UNTOUCHED
  const volume = proxyVolume(wishes, probes.attribute)
  const probeProblems = [...probes.problems, ...attributeProblems(volume)]
  const others = otherProxies(pod)
  if (existing.kind === 'complete' && [...others, ...probes.operations, ...probeProblems].length === 0)
    return ALREADY_INJECTED
  const problems = [
    ...labelProblems(pod),
    ...others,
    ...(existing.kind === 'foreign' ? existing.problems : []),
    ...proxyConflicts(pod),
    ...annotationProblems,
    ...probeProblems
  ]
  if (problems.length > 0) return { kind: 'refuse', problems, message: problems.join('; ') }
  const rest =
    existing.kind === 'complete'
      ? [replacement(pod, existing.volume, volume)]
      : additions(pod, proxyContainer(settings, wishes), volume)
  // Probes first: they are where they were until a container is put before them.
  return { kind: 'patch', patch: [...probes.operations, ...rest] }
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
