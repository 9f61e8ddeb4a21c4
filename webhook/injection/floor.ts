import type { Operation } from 'fast-json-patch'
import { EXCLUSIONS } from '../../shared/exclusions/index.ts'
import type { FloorRules } from '../../shared/floor/index.ts'
import type { Container, Pod } from '../pod/index.ts'
import { APPLICATION_ADDRESS } from './annotations.ts'
import { proxyDifferences } from './brought-proxy.ts'
import { INJECT_LABEL, PROXY_CONTAINER, VOLUME } from './names.ts'
import type { SkipReason } from './skip.ts'

const WHY = 'which the operator’s floor does not allow in this namespace (docs/floor.md)'

// Each makes a port of the pod reachable without its proxy. What only concerns outgoing connections is not among them.
const OPENING: readonly string[] = [
  EXCLUSIONS.inboundPorts.name,
  EXCLUSIONS.interfaces.name,
  // Traffic of a pod with this annotation is not captured.
  APPLICATION_ADDRESS
]

const REFUSED_SKIPS: Readonly<Partial<Record<SkipReason, string>>> = {
  'host-network': `spec.hostNetwork true: the pod would run without a proxy, ${WHY}`,
  'disabled-by-label': `label ${INJECT_LABEL} "disabled": the pod would run without a proxy, ${WHY}; remove the label`,
  windows: `spec.os.name "windows": the pod would run without a proxy, ${WHY}`
}

/** Why a pod may not go without a proxy, as a sentence; nothing where it may. */
export function refusedSkip(reason: SkipReason, { injection }: FloorRules): string[] {
  const refused = injection ? REFUSED_SKIPS[reason] : undefined
  return refused === undefined ? [] : [refused]
}

/** Annotations of a pod that would let connections reach its containers without its proxy, each as a sentence. */
export function refusedAnnotations({ metadata }: Pod, { mutualTls, endUserChecks }: FloorRules): string[] {
  if (!mutualTls && !endUserChecks) return []
  return Object.entries(metadata?.annotations ?? {})
    .filter(([name]) => OPENING.includes(name))
    .map(
      ([name, text]) =>
        `annotation ${name} ${JSON.stringify(text)}: connections would bypass the proxy, ${WHY}; remove the annotation`
    )
}

/**
 * How a proxy that a pod brings along differs from the one that injection adds, as a sentence: under a floor, a pod
 * cannot put a program of its own in the place of the proxy.
 */
export function refusedProxy(pod: Pod, wanted: Container, floor: FloorRules): string[] {
  if (!hasRules(floor)) return []
  const found = pod.spec?.initContainers?.find(({ name }) => name === PROXY_CONTAINER)
  const differing = found === undefined ? [] : proxyDifferences(found, wanted, pod)
  if (differing.length === 0) return []
  return [
    `spec.initContainers["${PROXY_CONTAINER}"]: expected ${differing.join(', ')} of the proxy that Countersign adds: the pod would run another one, ${WHY}; remove the container and the volume ${VOLUME}`
  ]
}

/**
 * Puts a proxy that a pod brings along before its other init containers: traffic is captured once the proxy runs, so one
 * that never ends would be reachable without it. A webhook that adds its own in front is a common reason.
 */
export function movedToFront({ spec }: Pod, floor: FloorRules): Operation[] {
  const index = spec?.initContainers?.findIndex(({ name }) => name === PROXY_CONTAINER) ?? -1
  if (index < 1 || !hasRules(floor)) return []
  return [{ op: 'move', from: `/spec/initContainers/${index}`, path: '/spec/initContainers/0' }]
}

const hasRules = ({ mutualTls, injection, endUserChecks }: FloorRules): boolean =>
  mutualTls || injection || endUserChecks

/**
 * Why the image of a running pod's proxy may not be changed, as a sentence: images are what can be changed of a pod, and
 * the kubelet starts the container again with the new one.
 *
 * @param image of the proxy that injection adds
 */
export function refusedImage(before: Pod, after: Pod, image: string, { injection }: FloorRules): string[] {
  const imageOf = ({ spec }: Pod): string | undefined =>
    spec?.initContainers?.find(({ name }) => name === PROXY_CONTAINER)?.image
  const changed = imageOf(after)
  if (!injection || changed === undefined || changed === image || changed === imageOf(before)) return []
  return [
    `spec.initContainers["${PROXY_CONTAINER}"].image ${JSON.stringify(changed)}: expected ${image}: the pod would run another proxy, ${WHY}`
  ]
}
