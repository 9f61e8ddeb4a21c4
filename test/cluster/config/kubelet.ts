import { NETWORK, type NodeName } from '../settings.ts'

export interface KubeletPaths {
  readonly authority: string
  readonly certificate: string
  readonly key: string
  readonly containerdSocket: string
  readonly resolvConf: string
}

/** Format: kubelet.config.k8s.io/v1beta1. */
export function kubeletConfig({ cgroup }: NodeName, paths: KubeletPaths): string {
  return JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: paths.authority }
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: paths.certificate,
    tlsPrivateKeyFile: paths.key,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: cgroup,
    // Machines with cgroup v1 are still about.
    failCgroupV1: false,
    containerRuntimeEndpoint: `unix://${paths.containerdSocket}`,
    clusterDNS: [NETWORK.dnsService],
    clusterDomain: NETWORK.domain,
    resolvConf: paths.resolvConf,
    volumePluginDir: '/var/lib/kubelet/plugins-exec',
    failSwapOn: false,
    enforceNodeAllocatable: [],
    // The disk is the machine's; its other files are no reason to evict a pod here.
    evictionHard: {
      'memory.available': '100Mi',
      'nodefs.available': '1%',
      'imagefs.available': '1%',
      'nodefs.inodesFree': '1%'
    },
    imageGCHighThresholdPercent: 100,
    localStorageCapacityIsolation: false,
    maxPods: 250
  })
}
