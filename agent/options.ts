import {
  address,
  defineOptions,
  listenAddress,
  type OptionsOf,
  oneOf,
  path,
  text,
  trustDomain
} from '../shared/config/index.ts'
import { DNS_SUBDOMAIN } from '../shared/names/index.ts'

export const OPTIONS = defineOptions({
  node: {
    flag: 'node',
    env: 'COUNTERSIGN_NODE',
    group: 'Identity',
    description: 'Name of the node that this agent serves, as Kubernetes knows it.',
    parser: text('name', 'the name of a node: lower-case letters, digits, dots and dashes', DNS_SUBDOMAIN)
  },
  trustDomain: {
    flag: 'trust-domain',
    env: 'COUNTERSIGN_TRUST_DOMAIN',
    group: 'Identity',
    description: 'Trust domain of the mesh, the same as the authority has.',
    parser: trustDomain,
    default: 'cluster.local'
  },
  token: {
    flag: 'token',
    env: 'COUNTERSIGN_TOKEN',
    group: 'Identity',
    description:
      'File with this agent’s own pod-bound service account token, audience countersign-ca. Read anew each time: the kubelet replaces it.',
    parser: path
  },
  authority: {
    flag: 'authority',
    env: 'COUNTERSIGN_AUTHORITY',
    group: 'Authority',
    description: 'Where the authority is. Whoever answers there must prove to be it; the address is not trusted.',
    parser: address,
    default: 'countersign-authority.countersign-system.svc:15012'
  },
  bundle: {
    flag: 'bundle',
    env: 'COUNTERSIGN_BUNDLE',
    group: 'Authority',
    description: 'File with the trust bundle (PEM) that the authority is verified with at first. Watched.',
    parser: path
  },
  state: {
    flag: 'state',
    env: 'COUNTERSIGN_STATE',
    group: 'Node',
    description:
      'Folder with what is needed to serve without the authority: volumes, keys, certificates, the last mesh state. Best on tmpfs; nobody else may read it.',
    parser: path,
    default: '/run/countersign'
  },
  interception: {
    flag: 'interception',
    env: 'COUNTERSIGN_INTERCEPTION',
    group: 'Node',
    description:
      'How traffic reaches the proxies. redirect: by rules in each pod’s network namespace. explicit: proxies listen on the pods’ own ports, and clients name their proxy as HTTP proxy; for machines outside Kubernetes.',
    parser: oneOf(['redirect', 'explicit']),
    default: 'redirect'
  },
  captureSocket: {
    flag: 'capture-socket',
    env: 'COUNTERSIGN_CAPTURE_SOCKET',
    group: 'Node',
    description:
      'Socket of the container node, which puts the redirection into the pods’ network namespaces. Used with --interception=redirect only.',
    parser: path,
    default: '/run/countersign/node.sock'
  },
  health: {
    flag: 'health-address',
    env: 'COUNTERSIGN_HEALTH_ADDRESS',
    group: 'Node',
    description: 'Where /livez, /readyz and /metrics are served, over plain HTTP.',
    parser: listenAddress,
    default: '0.0.0.0:15014'
  }
})

export type AgentOptions = OptionsOf<typeof OPTIONS>
