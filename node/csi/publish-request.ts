import { CountersignError } from '../../shared/errors/index.ts'
import type { Sensitive } from '../../shared/log/index.ts'
import type { NodePublishVolumeRequest } from '../../shared/proto/gen/csi_pb.js'
import { type VolumeRecord, volumeRecordSchema } from '../../shared/volume/index.ts'
import { CONTEXT, DRIVER_NAME, KUBELET_PREFIX, TOKEN_AUDIENCE, VOLUME_NAME } from './names.ts'
import { parseTargetPath, targetPathForm } from './target-path.ts'
import { type PodToken, tokenFor } from './token.ts'

export interface PublishSettings {
  /** The kubelet's folder of pods. */
  readonly podsFolder: string
  /**
   * The CSIDriver object says `serviceAccountTokenInSecrets` (Kubernetes 1.35 and later): tokens come in `secrets`, and
   * one in the volume context is from a tenant.
   */
  readonly tokensInSecrets: boolean
}

/** A volume that may be published. */
export interface RequestedVolume {
  readonly volumeId: string
  readonly targetPath: string
  readonly pod: VolumeRecord['pod']
  readonly token: Sensitive<string>
  readonly tokenExpiresAt: string | undefined
  /** What the author of the pod wrote: nothing that the kubelet says. */
  readonly attributes: Readonly<Record<string, string>>
}

// The record lies in memory: a tenant's pod specification may hold a megabyte of attributes.
const LONGEST_ATTRIBUTES = 16 * 1024

const context = (name: string): string => `volume_context ${name}`
const POD_INFO = 'the CSIDriver object needs podInfoOnMount: true'

/** Where the fields of a record come from. */
const SOURCES: Readonly<Record<string, string>> = {
  volumeId: 'volume_id',
  targetPath: 'target_path',
  'pod.name': context(CONTEXT.podName),
  'pod.namespace': context(CONTEXT.podNamespace),
  'pod.uid': context(CONTEXT.podUid),
  'pod.serviceAccount': context(CONTEXT.serviceAccount)
}

/**
 * What the kubelet asks for, if it can be given.
 *
 * The kubelet lays its own attributes over those of the volume's author (`mergeMap` in pkg/volume/csi), so those that
 * it always sends are its own. Nothing else under its prefix is used or kept. Tokens in `secrets` are its own as well:
 * a Secret, which an author may name there, cannot have a key with a slash in it.
 *
 * @throws CountersignError ERR_VOLUME_REFUSED naming every field that is missing or wrong, never the content of a token
 */
export function readPublishRequest(request: NodePublishVolumeRequest, settings: PublishSettings): RequestedVolume {
  const { volumeId, targetPath, volumeContext } = request
  const problems: string[] = []
  const pod = {
    name: volumeContext[CONTEXT.podName] ?? '',
    namespace: volumeContext[CONTEXT.podNamespace] ?? '',
    uid: volumeContext[CONTEXT.podUid] ?? '',
    serviceAccount: volumeContext[CONTEXT.serviceAccount] ?? ''
  }
  problems.push(...fieldProblems({ version: 1, volumeId, targetPath, pod }))
  const target = parseTargetPath(settings.podsFolder, targetPath)
  if (targetPath !== '' && target === undefined)
    problems.push(`target_path: expected ${targetPathForm(settings.podsFolder)}`)
  else if (target !== undefined && pod.uid !== '' && target.podUid !== pod.uid)
    problems.push(`target_path: expected a folder of pod ${pod.uid}, which ${context(CONTEXT.podUid)} names`)
  if (target !== undefined && target.volumeName !== VOLUME_NAME)
    problems.push(
      `target_path: expected the volume ${VOLUME_NAME}, got ${target.volumeName}: driver ${DRIVER_NAME} serves no other; remove the volume from the pod`
    )
  problems.push(...volumeProblems(request))
  const attributes = ownAttributes(volumeContext)
  if (JSON.stringify(attributes).length > LONGEST_ATTRIBUTES)
    problems.push(`volumeAttributes: expected at most ${LONGEST_ATTRIBUTES} characters together`)
  const found = findToken(request, settings)
  if (typeof found === 'string') problems.push(found)
  if (typeof found === 'string' || problems.length > 0)
    throw new CountersignError('ERR_VOLUME_REFUSED', `volume cannot be published: ${problems.join('; ')}`, {
      facts: { problems }
    })
  return Object.freeze({ volumeId, targetPath, pod, token: found.token, tokenExpiresAt: found.expiresAt, attributes })
}

function fieldProblems(record: VolumeRecord): string[] {
  const issues = volumeRecordSchema.safeParse(record).error?.issues ?? []
  return issues.map(({ path, message }) => {
    const field = path.join('.')
    const value = path.reduce<unknown>((part, key) => (part as Record<PropertyKey, unknown>)[key], record)
    const hint = field.startsWith('pod.') ? `: ${POD_INFO}` : ''
    return `${SOURCES[field] ?? field}: ${value === '' ? `required${hint}` : message}`
  })
}

function volumeProblems({ volumeCapability, volumeContext, readonly }: NodePublishVolumeRequest): string[] {
  const problems: string[] = []
  if (volumeCapability === undefined) problems.push('volume_capability: required')
  else if (volumeCapability.accessType.case !== 'mount')
    problems.push(`volume_capability: expected access type mount, got ${volumeCapability.accessType.case ?? 'none'}`)
  if (volumeContext[CONTEXT.ephemeral] !== 'true')
    problems.push(`${context(CONTEXT.ephemeral)}: expected true: only inline volumes of pods are served; ${POD_INFO}`)
  if (!readonly) problems.push('readonly: expected true: the volume of the pod needs csi.readOnly: true')
  return problems
}

function ownAttributes(volumeContext: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(volumeContext).filter(([name]) => !name.startsWith(KUBELET_PREFIX)))
}

function findToken(request: NodePublishVolumeRequest, { tokensInSecrets }: PublishSettings): PodToken | string {
  const places: readonly (readonly [name: string, values: Readonly<Record<string, string>>])[] = [
    ['secrets', request.secrets],
    ...(tokensInSecrets ? [] : [['volume_context', request.volumeContext] as const])
  ]
  for (const [name, values] of places) {
    const text = values[CONTEXT.tokens]
    if (text === undefined) continue
    const found = tokenFor(TOKEN_AUDIENCE, text)
    return typeof found === 'string' ? `${name} ${CONTEXT.tokens}: ${found}` : found
  }
  const needs = tokensInSecrets ? 'tokenRequests and serviceAccountTokenInSecrets: true' : 'tokenRequests'
  return `${places.map(([name]) => name).join(' or ')} ${CONTEXT.tokens}: required: the CSIDriver object needs ${needs}`
}
