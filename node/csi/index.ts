// The CSI driver of the node: what the kubelet says of a pod becomes a folder and a record.
//
// In: calls of the kubelet. Out: the target folder of a volume, empty, and its record for the agent (shared/volume).
// Never: mounts anything, waits for anything, or decides who a pod is: the kubelet says so.
// Never: believes what a tenant can write under the kubelet's own attribute names, or follows a link; never touches a
// path that is not the target folder of one of our volumes.
// Never: serves a volume under another name than `countersign`.
// Never: answers a publish of a volume that is there with a final error: the kubelet would take it from a running pod.
// Never: logs a volume context: it may hold a token.
// Source: CSI specification 1.13; Kubernetes, kubelet pkg/volume/csi; Kubernetes CSI drivers, "Pod info on mount",
// "Token requests", "CSI ephemeral inline volumes"; KEP-5538 (tokens in secrets).
//
// Everything here is synchronous, so that calls for one volume cannot overlap: the work is a folder and a small file.

export { addIdentityService } from './identity-service.ts'
export { DRIVER_NAME } from './names.ts'
export { addNodeService, type NodeServiceOptions } from './node-service.ts'
export { OrphanSweep, type OrphanSweepOptions } from './orphan-sweep.ts'
export { PublishedVolumes, type PublishedVolumesOptions } from './published-volumes.ts'
