import { isDeepStrictEqual } from 'node:util'
import { PROBES_ATTRIBUTE } from '../../shared/probes/index.ts'
import { type Container, containersOf, type Pod, type Volume } from '../pod/index.ts'
import { BOOTSTRAP_PATH, MOUNT_PATH, PROXY_CONTAINER, PROXY_PORTS, PROXY_USER, VOLUME } from './names.ts'

/** What a pod already has under our names. */
export type Existing =
  | { readonly kind: 'nothing' }
  /** Both pieces, ours: the pod was injected before. */
  | { readonly kind: 'complete'; readonly volume: Volume }
  /** Something that is not ours, or not all of it. */
  | { readonly kind: 'foreign'; readonly problems: string[] }

/**
 * Looks for an earlier injection. Only what the proxy cannot do without is compared: the API server fills in defaults,
 * other webhooks rewrite images and add variables, and a pod may be applied again under newer settings.
 */
export function findExisting(pod: Pod, wanted: Volume): Existing {
  const found = containersOf(pod).filter(({ container }) => container.name === PROXY_CONTAINER)
  const volume = pod.spec?.volumes?.find(({ name }) => name === VOLUME)
  if (found.length === 0 && volume === undefined) return { kind: 'nothing' }
  const problems: string[] = []
  for (const { container, path } of found) {
    const lacking = REQUIREMENTS.filter(([, holds]) => !holds(container)).map(([what]) => what)
    if (path.startsWith('spec.containers')) lacking.unshift('a place in spec.initContainers')
    if (lacking.length > 0) problems.push(foreign(path, `lacks ${lacking.join(', ')}`))
  }
  const volumePath = `spec.volumes[${JSON.stringify(VOLUME)}]`
  if (found.length === 0) problems.push(foreign(volumePath, `there is no container ${PROXY_CONTAINER} with it`))
  else if (volume === undefined) problems.push(`${volumePath}: missing, though there is a container ${PROXY_CONTAINER}`)
  else if (!sameVolume(volume, wanted)) problems.push(foreign(volumePath, `expected ${JSON.stringify(wanted.csi)}`))
  return problems.length === 0 && volume !== undefined ? { kind: 'complete', volume } : { kind: 'foreign', problems }
}

const REQUIREMENTS: readonly (readonly [string, (container: Container) => boolean])[] = [
  ['restartPolicy Always', ({ restartPolicy }) => restartPolicy === 'Always'],
  [`runAsUser ${PROXY_USER}`, ({ securityContext }) => securityContext?.runAsUser === PROXY_USER],
  [`the arguments -c ${BOOTSTRAP_PATH}`, ({ args }) => args?.[0] === '-c' && args[1] === BOOTSTRAP_PATH],
  [
    `a startup probe on port ${PROXY_PORTS.readiness}`,
    ({ startupProbe }) => startupProbe?.httpGet?.port === PROXY_PORTS.readiness
  ],
  [
    `the volume ${VOLUME} at ${MOUNT_PATH}`,
    ({ volumeMounts }) =>
      volumeMounts?.some(({ name, mountPath }) => name === VOLUME && mountPath === MOUNT_PATH) ?? false
  ]
]

// What was recorded of probes cannot be told from a pod whose probes are rewritten already.
function sameVolume({ csi }: Volume, { csi: wanted }: Volume): boolean {
  return (
    csi?.driver === wanted?.driver &&
    csi?.readOnly === true &&
    isDeepStrictEqual(withoutProbes(csi), withoutProbes(wanted))
  )
}

function withoutProbes(csi: Volume['csi']): Record<string, string> {
  const { [PROBES_ATTRIBUTE]: _, ...attributes } = csi?.volumeAttributes ?? {}
  return attributes
}

function foreign(path: string, why: string): string {
  return `${path}: the name is reserved, and this is not what Countersign adds: ${why}`
}
