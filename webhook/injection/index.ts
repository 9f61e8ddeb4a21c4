// Injection: what is added to a pod so that it takes part in the mesh. Pure.
//
// In: a pod as the API server shows it before it exists, its namespace, settings. Out: a JSON patch that adds one
// container and one volume, or the reason why the pod is left alone, or everything that makes it impossible.
// Never: reads anything but its arguments; never changes a field of the user's, but where probes and hooks go; never
// guesses what an annotation meant.
// Source: Kubernetes, sidecar containers, CSI ephemeral volumes, Pod Security Standards (restricted).

export { ANNOTATIONS } from './annotations.ts'
export { type InjectionResult, injectPod, refusePodChange } from './inject-pod.ts'
export type { Quantity } from './quantity.ts'
export { AMOUNTS, type ProxyResources, type ResourceName, resourceProblems } from './resources.ts'
export {
  IMAGE_PULL_POLICIES,
  type ImagePullPolicy,
  type InjectionSettings,
  PROXY_LOG_LEVELS,
  type ProxyLogLevel
} from './settings.ts'
export type { SkipReason } from './skip.ts'
