import type { V1Container, V1Pod, V1Volume } from '@kubernetes/client-node'

// Types only: this room never talks to an API server.
export type Pod = V1Pod
export type Container = V1Container
export type Volume = V1Volume

/** The container that injection adds; no pod has one of its own with this name. */
export const PROXY_CONTAINER = 'countersign-proxy'

/** A container of a pod and where it stands there. */
export interface PlacedContainer {
  readonly container: Container
  /** For messages: `spec.initContainers["migrate"]`. */
  readonly path: string
  /** For patches (RFC 6901): `/spec/initContainers/0`. */
  readonly pointer: string
}

/** All containers of a pod, init containers first. */
export function containersOf(pod: Pod): readonly PlacedContainer[] {
  const placed = (list: 'initContainers' | 'containers'): PlacedContainer[] =>
    (pod.spec?.[list] ?? []).map((container, index) => ({
      container,
      path: `spec.${list}[${JSON.stringify(container.name)}]`,
      pointer: `/spec/${list}/${index}`
    }))
  return [...placed('initContainers'), ...placed('containers')]
}

/** The API server's copy of a pod that the kubelet runs from a file: changing the copy changes nothing. */
export const isMirror = ({ metadata }: Pod): boolean =>
  metadata?.annotations?.['kubernetes.io/config.mirror'] !== undefined

export const isOnWindows = ({ spec }: Pod): boolean => spec?.os?.name === 'windows'
