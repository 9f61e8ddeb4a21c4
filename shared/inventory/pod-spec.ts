import type * as z from 'zod'
import {
  accountNameOrEmpty,
  dnsLabel,
  dnsSubdomain,
  flag,
  list,
  mapping,
  optional,
  optionalList,
  portName,
  portNumber,
  stringMapping,
  text,
  transport
} from './field.ts'
import type { ContainerPort, Labels } from './types.ts'

/** The name of the proxy's container. */
const PROXY = 'countersign-proxy'

/** The proxy's volume. */
const VOLUME = { name: 'countersign', driver: 'csi.countersign.dev' }

const container = mapping({
  name: dnsLabel,
  image: optional(text),
  restartPolicy: optional(text),
  volumeMounts: optionalList(mapping({ name: text })),
  ports: optionalList(mapping({ name: optional(portName), containerPort: portNumber, protocol: transport }))
})

const volume = mapping({
  name: text,
  csi: optional(mapping({ driver: text, volumeAttributes: optional(stringMapping) }))
})

/** The part of core/v1 PodSpec that is read: of pods, and of the templates of those who make pods. */
export const podSpec = mapping({
  nodeName: optional(dnsSubdomain),
  hostNetwork: optional(flag),
  serviceAccountName: optional(accountNameOrEmpty),
  initContainers: optionalList(container),
  volumes: optionalList(volume),
  containers: list(container).min(1, { error: 'at least one container' })
})

export type PodSpec = z.output<typeof podSpec>

/**
 * Whether a pod has a proxy: the native sidecar of that name, which mounts the volume of that name, which is of the CSI
 * driver. A kubelet's credentials do not suffice to make such a pod: the API server refuses mirror pods with CSI volumes.
 */
export function hasProxy(spec: PodSpec): boolean {
  const isMounted = spec.initContainers.some(
    ({ name, restartPolicy, volumeMounts }) =>
      name === PROXY && restartPolicy === 'Always' && volumeMounts.some(mount => mount.name === VOLUME.name)
  )
  return isMounted && proxyAttributes(spec) !== undefined
}

/**
 * What the application's containers declare, in their order. Native sidecars (init containers that restart always)
 * listen too, and Kubernetes looks for named ports in them as well; the proxy's own ports are not the application's.
 */
export function declaredPorts(spec: PodSpec): readonly ContainerPort[] {
  const sidecars = spec.initContainers.filter(({ restartPolicy }) => restartPolicy === 'Always')
  return Object.freeze(
    [...spec.containers, ...sidecars]
      .filter(({ name }) => name !== PROXY)
      .flatMap(({ ports }) => ports)
      .map(({ name, containerPort: number, protocol }) =>
        Object.freeze({ ...(name === undefined ? {} : { name }), number, protocol })
      )
  )
}

/** What the webhook wrote into the proxy's volume, for the agent; undefined where there is no such volume. */
export function proxyAttributes({ volumes }: PodSpec): Labels | undefined {
  const csi = volumes.find(({ name }) => name === VOLUME.name)?.csi
  return csi?.driver === VOLUME.driver ? (csi.volumeAttributes ?? {}) : undefined
}

/** Volumes of our driver that are not the proxy's, by name. */
export function furtherVolumes({ volumes }: PodSpec): readonly string[] {
  return Object.freeze(
    volumes.filter(({ name, csi }) => csi?.driver === VOLUME.driver && name !== VOLUME.name).map(({ name }) => name)
  )
}
