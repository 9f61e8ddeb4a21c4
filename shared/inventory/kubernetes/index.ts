// The inventory from the Kubernetes API: the cluster itself says what the mesh is made of.
//
// In: a client of the API. Out: an InventorySource, and word when it has seen everything once.
// Never: writes to the API; keeps a whole object; shows a part of the cluster before it has seen all of it.
// Source: Kubernetes API reference: core/v1, discovery.k8s.io/v1; security.istio.io/v1, countersign.dev/v1.

export { KubernetesSource, type KubernetesSourceOptions } from './kubernetes-source.ts'
