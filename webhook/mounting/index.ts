// Mounting: the Secret with the certificate of a pod's service account, in the containers that the pod names. Pure.
//
// In: a pod as the API server shows it before it exists, its namespace, which namespaces are excluded. Out: a JSON patch
// that adds one volume and one mount for each container, or the reason why the pod is left alone, or everything that
// makes it impossible.
// Never: reads anything but its arguments, so that a pod may be made before its Secret; never changes a field of the
// user's; never mounts into a container that was not named.
// Source: Kubernetes, volumes of kind secret; kubelet 1.37, pkg/volume/volume_linux.go (fsGroup).

export { type MountingResult, mountCertificates } from './mount-certificates.ts'
export { ANNOTATIONS } from './named-containers.ts'
export type { MountingSettings } from './skip.ts'
