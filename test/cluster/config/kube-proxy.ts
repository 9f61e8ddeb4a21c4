import { NETWORK, type NodeName } from '../settings.ts'

/** Format: kubeproxy.config.k8s.io/v1alpha1. */
export const kubeProxyConfig = ({ name }: NodeName, kubeconfig: string): string =>
  JSON.stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    clientConnection: { kubeconfig },
    mode: 'iptables',
    hostnameOverride: name,
    clusterCIDR: `${NETWORK.pods},${NETWORK.ipv6Pods}`,
    // The limit is one for all of the machine, and not for a test to change.
    conntrack: { maxPerCore: 0 }
  })
