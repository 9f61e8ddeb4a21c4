import type { V1GRPCAction, V1HTTPGetAction, V1TCPSocketAction } from '@kubernetes/client-node'

export type HttpGet = V1HTTPGetAction

/** What a probe and a lifecycle hook have in common: how the container is asked. Two fields are of Kubernetes 1.37. */
export interface Handler {
  readonly httpGet?: (HttpGet & { readonly protocol?: string | null }) | null
  readonly tcpSocket?: V1TCPSocketAction | null
  readonly grpc?: (V1GRPCAction & { readonly mode?: string | null }) | null
}
