import { EXCLUSIONS } from '../../shared/exclusions/index.ts'
import type { FloorRules } from '../../shared/floor/index.ts'
import type { Container, Pod } from '../pod/index.ts'
import { APPLICATION_ADDRESS } from './annotations.ts'
import { INJECT_LABEL, MOUNT_PATH, PROXY_CONTAINER, VOLUME } from './names.ts'
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

// Kubernetes adds the token of the service account to every container that is there before admission.
const TOKENS = '/var/run/secrets/'

const SAME: readonly (readonly [what: string, holds: (found: Container, wanted: Container) => boolean])[] = [
  ['the image', ({ image }, wanted) => image === wanted.image],
  ['the arguments', ({ args }, wanted) => JSON.stringify(args) === JSON.stringify(wanted.args)],
  ['no command', ({ command }) => (command ?? []).length === 0],
  ['no lifecycle hook', ({ lifecycle }) => lifecycle?.postStart == null && lifecycle?.preStop == null],
  ['no exec probe', ({ readinessProbe, livenessProbe }) => !readinessProbe?.exec && !livenessProbe?.exec],
  [
    `no volume but ${VOLUME}`,
    ({ volumeMounts }) =>
      (volumeMounts ?? []).every(({ name, mountPath }) =>
        name === VOLUME ? mountPath === MOUNT_PATH : mountPath.startsWith(TOKENS)
      )
  ]
]

/**
 * How a proxy that a pod brings along differs from the one that injection adds, as a sentence: under a floor, a pod
 * cannot put a program of its own in the place of the proxy.
 */
export function refusedProxy(
  pod: Pod,
  wanted: Container,
  { mutualTls, injection, endUserChecks }: FloorRules
): string[] {
  if (!mutualTls && !injection && !endUserChecks) return []
  const found = pod.spec?.initContainers?.find(({ name }) => name === PROXY_CONTAINER)
  const differing = found === undefined ? [] : SAME.filter(([, holds]) => !holds(found, wanted)).map(([what]) => what)
  if (differing.length === 0) return []
  return [
    `spec.initContainers["${PROXY_CONTAINER}"]: expected ${differing.join(', ')} of the proxy that Countersign adds: the pod would run another one, ${WHY}; remove the container and the volume ${VOLUME}`
  ]
}

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
