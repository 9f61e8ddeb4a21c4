// The volume of a pod as its proxy sees it: where it is mounted, which files are in it, and the one that Envoy starts
// from.
//
// In: who the pod is, where the agent's socket is. Out: Envoy's bootstrap file, and the names that three programs have
// to agree on: the webhook mounts the volume, whoever publishes it writes the file, the agent listens on the socket.
// Never: holds anything that changes during a pod's life; that comes over the socket.
// Source: Envoy 1.40, config.bootstrap.v3.Bootstrap, in the JSON form of protobuf.

export { BOOTSTRAP_CLUSTERS, type BootstrapOptions, createBootstrap } from './bootstrap.ts'
export { AGENT_SOCKET, BOOTSTRAP_FILE, BOOTSTRAP_MODE, podBootstrap, VOLUME_MOUNT } from './volume.ts'
