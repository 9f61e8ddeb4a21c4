// A real Kubernetes on this machine, as one or more nodes: etcd, control plane, CoreDNS, and per node containerd, runc,
// kubelet and kube-proxy, each node a machine of its own in namespaces. For the tests that need one, and for trying
// things out; `npm run cluster` is the same for people.
//
// In: settings, tar files of images. Out: a cluster that can be asked, changed, and broken on purpose.
// Never: leads out of this machine; touches what it did not make; leaves anything behind once it is down.

export { Cluster, type ClusterDescription, openCluster } from './cluster.ts'
export { NoClusterError } from './cluster-error.ts'
export type { ClusterNode, NodeProgram } from './cluster-node.ts'
export type { ControlProgram } from './control-plane.ts'
export { installChart } from './install-chart.ts'
export type { NodeProcess } from './node-processes.ts'
export { Progress } from './progress.ts'
export type { Outcome, RunOptions } from './run.ts'
export { type KubernetesVersion, readSettings, type Settings } from './settings.ts'
export { type StartOptions, startCluster } from './start-cluster.ts'
export { stopCluster } from './stop-cluster.ts'
export { stopOwnCluster } from './stop-own-cluster.ts'
