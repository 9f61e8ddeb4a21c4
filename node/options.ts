import { boolean, defineOptions, listenAddress, type OptionsOf, oneOf, path, text } from '../shared/config/index.ts'
import { CAPTURE_CHOICES } from './capture/index.ts'

export const OPTIONS = defineOptions({
  node: {
    flag: 'node',
    env: 'COUNTERSIGN_NODE',
    group: 'Node',
    description: 'Name of the node that this program serves, as Kubernetes knows it.',
    parser: text(
      'name',
      'the name of a node: lower-case letters, digits, dots and dashes',
      /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/
    )
  },
  state: {
    flag: 'state',
    env: 'COUNTERSIGN_STATE',
    group: 'Node',
    description:
      'Folder that is shared with the agent: volume records, and the socket at which the agent asks for capture. Best on tmpfs; nobody else may enter it.',
    parser: path,
    default: '/run/countersign'
  },
  proc: {
    flag: 'proc',
    env: 'COUNTERSIGN_PROC',
    group: 'Node',
    description:
      'Where the processes of the node are seen: its own /proc, mounted here, or that of this container if it runs with hostPID.',
    parser: path,
    default: '/proc'
  },
  capture: {
    flag: 'capture',
    env: 'COUNTERSIGN_CAPTURE',
    group: 'Node',
    description:
      'By what traffic is captured. `auto` takes the first that works on this node of nftables, iptables-nft and iptables-legacy; `iptables` the first of the latter two.',
    parser: oneOf(CAPTURE_CHOICES),
    default: 'auto'
  },
  health: {
    flag: 'health',
    env: 'COUNTERSIGN_HEALTH',
    group: 'Node',
    description:
      'Where /livez, /readyz and /metrics are served, over plain HTTP. For probes of the kubelet, it has to be an address of the pod.',
    parser: listenAddress,
    default: '127.0.0.1:15013'
  },
  kubelet: {
    flag: 'kubelet',
    env: 'COUNTERSIGN_KUBELET',
    group: 'Kubelet',
    description:
      'The root folder of the kubelet, as the kubelet itself names it. Its folder `pods` has to be mounted at the same path here.',
    parser: path,
    default: '/var/lib/kubelet'
  },
  registration: {
    flag: 'registration',
    env: 'COUNTERSIGN_REGISTRATION',
    group: 'Kubelet',
    description:
      'The folder `plugins_registry` of the kubelet, where it is mounted here: it looks for new drivers there.',
    parser: path,
    default: '/registration'
  },
  csiSocket: {
    flag: 'csi-socket',
    env: 'COUNTERSIGN_CSI_SOCKET',
    group: 'Kubelet',
    description:
      'Socket of the CSI services. Its folder has to be `plugins/csi.countersign.dev` of the kubelet, where it is mounted here.',
    parser: path,
    default: '/csi/csi.sock'
  },
  tokensInSecrets: {
    flag: 'tokens-in-secrets',
    env: 'COUNTERSIGN_TOKENS_IN_SECRETS',
    group: 'Kubelet',
    description:
      'Whether the CSIDriver object says serviceAccountTokenInSecrets (Kubernetes 1.35 and later). Then a token in the volume context is not the kubelet’s, and is ignored.',
    parser: boolean,
    default: 'false'
  }
})

export type NodeOptions = OptionsOf<typeof OPTIONS>
