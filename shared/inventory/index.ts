// What the mesh is made of: namespaces, pods, Services, endpoints and policies, reduced to what Countersign reads.
//
// In: Kubernetes objects, as manifests or from the API. Out: small frozen objects, and what is wrong with the others.
// Never: reads a file or calls an API (./folder reads files); never decides who is trusted.
// Source: Kubernetes API reference: core/v1, apps/v1, discovery.k8s.io/v1.

export { assembleInventory, EMPTY_INVENTORY } from './assemble.ts'
export {
  ANY_NETWORK,
  type ClaimContext,
  holds,
  type PodNetworks,
  type ResolvedPods,
  resolveClaims
} from './claims.ts'
export { type EndpointSlice, endpointSliceFromManifest, type SliceEndpoint } from './endpoint-slice.ts'
export { endpointsFromSelectors, targetPortOf } from './endpoints.ts'
export { hasEnded } from './has-ended.ts'
export type { FieldPath, Issue, Normalised } from './issue.ts'
export { podFromApi, podFromManifest } from './pod.ts'
export { indexPods, type PodIndex } from './pod-index.ts'
export { OPAQUE, type Secret } from './secret.ts'
export { serviceFromManifest } from './service.ts'
export { endpointsFromSlices } from './slice-endpoints.ts'
export type {
  ContainerPort,
  Endpoint,
  Inventory,
  InventorySource,
  Labels,
  Namespace,
  Pod,
  PodPhase,
  PortEndpoints,
  RefusedEndpoint,
  RefusedEndpoints,
  Service,
  ServiceAccount,
  ServiceEndpoints,
  ServicePort,
  ServiceType,
  Transport,
  UnheldAddress
} from './types.ts'
