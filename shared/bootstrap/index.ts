// The proxy of a pod as several programs have to know it: its user, its ports, the source addresses of its
// deliveries, its volume, and the file in it that Envoy starts from.
//
// In: who the pod is, where the agent's socket is. Out: Envoy's bootstrap file, and what has to be
// agreed on: the webhook adds container and mount, whoever publishes the volume writes the file, the agent listens on the
// socket and configures the ports, capture leads traffic to them.
// Never: holds anything that changes during a pod's life; that comes over the socket.
// Source: Envoy 1.40, config.bootstrap.v3.Bootstrap, in the JSON form of protobuf.

export { BOOTSTRAP_CLUSTERS, type BootstrapOptions, createBootstrap } from './bootstrap.ts'
export { DELIVERY_SOURCE, PROXY_PORTS, PROXY_USER } from './proxy.ts'
export { AGENT_SOCKET, BOOTSTRAP_FILE, BOOTSTRAP_MODE, podBootstrap, VOLUME_MOUNT } from './volume.ts'
