// Which pod is behind which socket.
//
// In: records of volumes, written by the CSI node service in a process of its own (shared/volume).
// Out: the pods of this node as `Volume`s, with a socket and a bootstrap file in the folder of each; connections on a
// socket, named after its pod.
// Never: takes an identity from a volume's attributes: a tenant can write those, what the kubelet reported it cannot.
// Never: makes a volume's folder or mounts anything, and never waits for a certificate.
// Source: CSI specification, NodePublishVolume; Kubernetes CSI drivers, "Pod info on mount" and "Token requests".

export { APPLICATION_ADDRESS } from './attributes.ts'
export type { Volume } from './volume.ts'
export { VolumeSet } from './volume-set.ts'
export { VolumeSockets } from './volume-sockets.ts'
