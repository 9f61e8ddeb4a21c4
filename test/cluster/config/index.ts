// The configuration of every program of a cluster, as text.
//
// In: names, addresses, paths. Out: what goes into files and onto command lines.
// Never: touches a file; knows more than its arguments and the addresses of the cluster.

export { cniConfig, LINK_PLUGIN, linkPlugin } from './cni.ts'
export { type ContainerdPaths, containerdConfig } from './containerd.ts'
export {
  apiServerArguments,
  controllerArguments,
  corefile,
  dnsObjects,
  etcdArguments,
  schedulerArguments
} from './control-plane.ts'
export { kubeProxyConfig } from './kube-proxy.ts'
export { type KubeconfigParts, kubeconfig } from './kubeconfig.ts'
export { type KubeletPaths, kubeletConfig } from './kubelet.ts'
