// Pods, as injection and mounting look at them: types, where a container stands, what decides whether a pod is touched.
//
// In: a pod as the API server shows it before it exists. Out: its containers with their places, and whether it is one
// that nothing can be added to.
// Never: changes a pod; decides what is added.
// Source: Kubernetes, core/v1, Pod; static pods.

export {
  type Container,
  containersOf,
  isMirror,
  isOnWindows,
  type PlacedContainer,
  type Pod,
  PROXY_CONTAINER,
  type Volume
} from './pod.ts'
