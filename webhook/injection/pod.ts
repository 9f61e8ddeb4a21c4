import type { V1Container, V1HTTPGetAction, V1Pod, V1Volume } from '@kubernetes/client-node'

// Types only: this room never talks to an API server.
export type Pod = V1Pod
export type Container = V1Container
export type Volume = V1Volume
export type HttpGet = V1HTTPGetAction

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
