import { createHash } from 'node:crypto'
import { isIP } from 'node:net'
import * as z from 'zod'
import { EXCLUSIONS, exclusionsOf, readList } from '../exclusions/index.ts'
import { ipAddress, ipAddressOrEmpty, mapping, optional, optionalList, stringMapping, text } from './field.ts'
import { checkInjectLabel } from './inject-label.ts'
import { type Issue, issuesOf, type Normalised, show } from './issue.ts'
import { metadata } from './metadata.ts'
import { declaredPorts, furtherVolumes, hasProxy, type PodSpec, podSpec, proxyAttributes } from './pod-spec.ts'
import type { InboundBypass, Labels, Pod } from './types.ts'

const PHASES = ['Pending', 'Running', 'Succeeded', 'Failed', 'Unknown'] as const

const status = mapping({
  phase: optional(z.enum(PHASES, { error: PHASES.join(', ') })),
  podIP: optional(ipAddressOrEmpty),
  podIPs: optionalList(mapping({ ip: ipAddress })),
  conditions: optionalList(mapping({ type: text, status: text }))
})

const schema = mapping({ metadata, spec: podSpec, status: optional(status) })
type Parsed = z.output<typeof schema>

/** The annotation of a mirror pod (Kubernetes, "Static Pods"). */
const MIRROR = 'kubernetes.io/config.mirror'

const rawAnnotations = mapping({ metadata: mapping({ annotations: optional(stringMapping) }) })

/** Whether the kubelet runs the pod from a file, and this is the API server's copy. */
const isMirror = (object: unknown): boolean =>
  Object.hasOwn(rawAnnotations.safeParse(object).data?.metadata.annotations ?? {}, MIRROR)

/**
 * A pod from the Kubernetes API. The API server gives every pod a service account, except mirror pods: a pod without one
 * has no identity, and no proxy.
 */
export function podFromApi(object: unknown): Normalised<Pod> {
  return readPod(object, '')
}

/**
 * Kubernetes, core/v1 Pod, as a manifest.
 *
 * A manifest written by hand need not have everything that the API server adds: without a UID it gets one that
 * follows from its name (see `uidOfManifest`), without a phase it is Pending, and a Running pod without conditions
 * counts as ready. One that names no account runs as `default`, as the API server would have it.
 */
export function podFromManifest(object: unknown): Normalised<Pod> {
  return readPod(object, 'default')
}

function readPod(object: unknown, defaultAccount: string): Normalised<Pod> {
  const parsed = schema.safeParse(object)
  if (!parsed.success) return { value: undefined, issues: issuesOf(parsed.error, object) }
  const pod = podOf(parsed.data, { defaultAccount, mirror: isMirror(object) })
  const issues = [
    ...checkInjectLabel(pod.labels, ['metadata', 'labels']),
    ...checkApplicationAddress(pod.annotations),
    ...checkExclusions(pod.annotations)
  ]
  return { value: pod, issues }
}

/** The UID of a pod whose manifest has none: a UUID that follows from its name (RFC 9562, version 8). */
export function uidOfManifest(namespace: string, name: string): string {
  const digest = createHash('sha256').update(`countersign pod ${namespace}/${name}`).digest().subarray(0, 16)
  digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x80, 6)
  digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8)
  return digest.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

interface Reading {
  readonly defaultAccount: string
  readonly mirror: boolean
}

function podOf({ metadata, spec, status }: Parsed, { defaultAccount, mirror }: Reading): Pod {
  const { namespace, name } = metadata
  const serviceAccount = spec.serviceAccountName || defaultAccount
  const phase = status?.phase ?? 'Pending'
  const bypass = inboundBypass(spec, metadata.annotations)
  const further = furtherVolumes(spec)
  const notCaptured = (proxyAttributes(spec) ?? metadata.annotations)[APPLICATION_ADDRESS] !== undefined
  return Object.freeze({
    namespace,
    name,
    uid: metadata.uid ?? uidOfManifest(namespace, name),
    labels: metadata.labels,
    annotations: metadata.annotations,
    serviceAccount,
    ...(spec.nodeName === undefined ? {} : { node: spec.nodeName }),
    addresses: addressesOf(status),
    phase,
    ready: isReady(status, phase),
    terminating: metadata.deletionTimestamp !== undefined,
    ...(metadata.deletionTimestamp === undefined ? {} : { deletionTime: metadata.deletionTimestamp }),
    hasProxy: hasProxy(spec) && serviceAccount !== '' && !mirror,
    ...(metadata.creationTimestamp === undefined ? {} : { created: metadata.creationTimestamp }),
    ...(spec.hostNetwork === true ? { hostNetwork: true as const } : {}),
    ...(mirror ? { mirror: true as const } : {}),
    ...(bypass === undefined ? {} : { bypass }),
    ...(further.length === 0 ? {} : { furtherVolumes: further }),
    ...(notCaptured ? { notCaptured } : {}),
    ports: declaredPorts(spec)
  })
}

function addressesOf(status: Parsed['status']): readonly string[] {
  const primary = status?.podIP ? [status.podIP] : []
  return Object.freeze([...new Set([...primary, ...(status?.podIPs ?? []).map(({ ip }) => ip)])])
}

function isReady(status: Parsed['status'], phase: Pod['phase']): boolean {
  const conditions = status?.conditions ?? []
  if (conditions.length === 0) return phase === 'Running'
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True')
}

const APPLICATION_ADDRESS = 'countersign.dev/application-address'

function checkApplicationAddress(annotations: Labels): readonly Issue[] {
  const value = annotations[APPLICATION_ADDRESS]
  if (value === undefined || isIP(value) !== 0) return []
  const path = ['metadata', 'annotations', APPLICATION_ADDRESS]
  return [{ path, message: `expected an IP address, got ${show(value)}` }]
}

// The volume is what capture goes by, and it never changes: annotations may be changed while the pod runs, and then
// clients would be told what does not hold. Without the volume there is no proxy to bypass; annotations then say what was
// asked for.
function inboundBypass(spec: PodSpec, annotations: Labels): InboundBypass | undefined {
  const { inboundPorts: ports, interfaces } = exclusionsOf(proxyAttributes(spec) ?? annotations)
  return ports.length + interfaces.length === 0 ? undefined : Object.freeze({ ports, interfaces })
}

function checkExclusions(annotations: Labels): readonly Issue[] {
  return Object.values(EXCLUSIONS).flatMap((list): Issue[] => {
    const value = annotations[list.name]
    if (value === undefined || readList<unknown>(list, value) !== undefined) return []
    return [{ path: ['metadata', 'annotations', list.name], message: `expected ${list.allowed}, got ${show(value)}` }]
  })
}
