import type { Operation } from 'fast-json-patch'
import { secretNameOf } from '../../shared/certificate-secrets/index.ts'
import type { PlacedContainer, Pod, Volume } from '../pod/index.ts'

/** The volume that is added; no pod has another of this name. */
export const VOLUME = 'countersign-certificates'

const FOR_ROOT = 0o400
const FOR_GROUP = 0o440
const FOR_ALL = 0o444
const MODES: readonly (number | undefined)[] = [FOR_ROOT, FOR_GROUP, FOR_ALL]

// `secret.optional` stays away: the kubelet then starts the pod only once there is a Secret.
interface CertificatesVolume extends Volume {
  readonly secret: { readonly secretName: string; readonly defaultMode: number }
}

/**
 * The volume with the Secret of the pod's account.
 *
 * @param containers those into which it is mounted
 * @returns a sentence when the name of the account leaves no room for that of a Secret
 */
export function certificatesVolume(pod: Pod, containers: readonly PlacedContainer[]): CertificatesVolume | string {
  const account = pod.spec?.serviceAccountName || 'default'
  const secretName = secretNameOf(account)
  if (secretName === undefined)
    return `spec.serviceAccountName ${JSON.stringify(account)}: expected at most 241 characters, so that its Secret can have a name`
  return { name: VOLUME, secret: { secretName, defaultMode: fileMode(pod, containers) } }
}

// The files belong to root. With an fsGroup the kubelet gives them to that group, in which every process of the pod is,
// whoever it runs as; PostgreSQL and others refuse a key that everybody can read. Without, only root is sure to read
// what its owner alone may read. And where a container does not say who it runs as, its image decides, which nobody
// knows here: then everybody in the named containers may read; nobody else can reach the files of a volume.
function fileMode({ spec }: Pod, containers: readonly PlacedContainer[]): number {
  if (spec?.securityContext?.fsGroup != null) return FOR_GROUP
  const ofPod = spec?.securityContext?.runAsUser
  const areRoot = containers.every(({ container }) => (container.securityContext?.runAsUser ?? ofPod) === 0)
  return areRoot ? FOR_ROOT : FOR_ALL
}

/**
 * What it takes for a pod to have this volume, and only this one under its name. Of an earlier one, the mode follows:
 * other webhooks may since have said who the containers run as, or added one.
 */
export function volumeOperations({ spec }: Pod, wanted: CertificatesVolume): Operation[] | string {
  if (!spec?.volumes) return [{ op: 'add', path: '/spec/volumes', value: [wanted] }]
  const index = spec.volumes.findIndex(({ name }) => name === VOLUME)
  const found = spec.volumes[index]
  if (found === undefined) return [{ op: 'add', path: '/spec/volumes/-', value: wanted }]
  if (!isOurs(found, wanted))
    return `spec.volumes[${JSON.stringify(VOLUME)}]: the name is reserved, and this is not what Countersign adds: expected ${JSON.stringify({ secret: wanted.secret })}`
  if (found.secret?.defaultMode === wanted.secret.defaultMode) return []
  return [{ op: 'replace', path: `/spec/volumes/${index}/secret/defaultMode`, value: wanted.secret.defaultMode }]
}

function isOurs({ secret }: Volume, wanted: CertificatesVolume): boolean {
  return (
    secret?.secretName === wanted.secret.secretName &&
    MODES.includes(secret.defaultMode) &&
    secret.optional !== true &&
    (secret.items ?? []).length === 0
  )
}
