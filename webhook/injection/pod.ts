import type {
  V1Container,
  V1GRPCAction,
  V1HTTPGetAction,
  V1Pod,
  V1TCPSocketAction,
  V1Volume
} from '@kubernetes/client-node'

// Types only: this room never talks to an API server.
export type Pod = V1Pod
export type Container = V1Container
export type Volume = V1Volume
export type HttpGet = V1HTTPGetAction

/** What a probe and a lifecycle hook have in common: how the container is asked. Two fields are of Kubernetes 1.37. */
export interface Handler {
  readonly httpGet?: (HttpGet & { readonly protocol?: string | null }) | null
  readonly tcpSocket?: V1TCPSocketAction | null
  readonly grpc?: (V1GRPCAction & { readonly mode?: string | null }) | null
}

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
