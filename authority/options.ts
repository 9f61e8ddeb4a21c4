import {
  defineOptions,
  duration,
  existing,
  list,
  listenAddress,
  type OptionsOf,
  oneOf,
  type Parser,
  path,
  text,
  trustDomain
} from '../shared/config/index.ts'
import { DNS_LABEL, DNS_NAME, DNS_SUBDOMAIN } from '../shared/names/index.ts'
import { BlockedAddresses, DEFAULT_BLOCKED_ADDRESSES } from './keys/index.ts'

const network: Parser<string> = {
  placeholder: 'network',
  allowed: 'an IP address or a network such as 10.0.0.0/8 or fd00::/8',
  parse(text) {
    try {
      new BlockedAddresses([text])
      return text
    } catch {
      return undefined
    }
  }
}

const names = text('namespace', 'the name of a namespace: lower-case letters, digits and dashes', DNS_LABEL)

/** A list of names, or `*` alone. */
const namespaces: Parser<readonly string[] | '*'> = {
  placeholder: 'namespace,…|*',
  allowed: 'names of namespaces separated by commas, or * alone',
  parse(text) {
    if (text.trim() === '*') return '*'
    return list(names).parse(text)
  }
}

const name = text('name', 'a Kubernetes name: lower-case letters, digits, dots and dashes', DNS_SUBDOMAIN)

export const OPTIONS = defineOptions({
  folder: {
    flag: 'folder',
    env: 'COUNTERSIGN_FOLDER',
    group: 'Configuration',
    description:
      'Folder of Kubernetes manifests (YAML) that say which pods, services and policies there are. Watched: a change is taken up at once, a mistake is logged with file, line and field while the last good state goes on. Without it the Kubernetes API says all of that.',
    parser: existing('directory'),
    optional: true
  },
  kubeconfig: {
    flag: 'kubeconfig',
    env: 'COUNTERSIGN_KUBECONFIG',
    group: 'Configuration',
    description:
      'Kubeconfig file that leads to the Kubernetes API, for an authority that is no pod. Without it, and without a folder, the service account of the pod is used.',
    parser: existing('file'),
    optional: true
  },
  state: {
    flag: 'state',
    env: 'COUNTERSIGN_STATE',
    group: 'Configuration',
    description:
      'With --folder: folder in which the root key is kept, made if it is not there. Whoever reads it can be anybody in the mesh. Lost: every agent needs the new bundle. Without --folder the root is in the Secret countersign-root.',
    parser: path,
    optional: true
  },
  trustDomain: {
    flag: 'trust-domain',
    env: 'COUNTERSIGN_TRUST_DOMAIN',
    group: 'Identity',
    description:
      'Trust domain of the mesh: the part of every SPIFFE ID behind spiffe://. Agents must be given the same.',
    parser: trustDomain,
    default: 'cluster.local'
  },
  certificateLifetime: {
    flag: 'certificate-lifetime',
    env: 'COUNTERSIGN_CERTIFICATE_LIFETIME',
    group: 'Identity',
    description:
      'Lifetime of the certificates of pods and agents. They are renewed at half of it, so half of it is how long the authority may be gone without any of them expiring.',
    parser: duration('10s', '90d'),
    default: '24h'
  },
  bundleFile: {
    flag: 'bundle-file',
    env: 'COUNTERSIGN_BUNDLE_FILE',
    group: 'Identity',
    description:
      'With --folder: file to which the trust bundle is written (PEM), for agents that have not spoken with the authority yet. Without --folder it is in the ConfigMap countersign-bundle.',
    parser: path,
    optional: true
  },
  tokenKeys: {
    flag: 'token-keys',
    env: 'COUNTERSIGN_TOKEN_KEYS',
    group: 'Attestation',
    description:
      'With --folder: JWKS file with the keys that sign service account tokens (the API server serves it at /openid/v1/jwks). Watched. Without --folder the API server is asked.',
    parser: existing('file'),
    optional: true
  },
  tokenIssuer: {
    flag: 'token-issuer',
    env: 'COUNTERSIGN_TOKEN_ISSUER',
    group: 'Attestation',
    description:
      'What the `iss` of service account tokens must be. Left out, it is what the API server says; with --folder it is https://kubernetes.default.svc.cluster.local.',
    parser: text('url', 'the issuer of the API server, as in its /.well-known/openid-configuration'),
    optional: true
  },
  systemNamespace: {
    flag: 'system-namespace',
    env: 'COUNTERSIGN_SYSTEM_NAMESPACE',
    group: 'Attestation',
    description:
      'Namespace of Countersign itself: only its agents may ask for certificates, and its PeerAuthentication holds for the mesh.',
    parser: name,
    default: 'countersign-system'
  },
  agentServiceAccount: {
    flag: 'agent-service-account',
    env: 'COUNTERSIGN_AGENT_SERVICE_ACCOUNT',
    group: 'Attestation',
    description: 'Service account of the agents, in the system namespace.',
    parser: name,
    default: 'countersign-agent'
  },
  unenrolledPods: {
    flag: 'unenrolled-pods',
    env: 'COUNTERSIGN_UNENROLLED_PODS',
    group: 'Attestation',
    description:
      'Whether pods get certificates that neither the label countersign.dev/inject of their namespace nor their own enrols: pods with a volume written by hand. With --folder every pod is enrolled.',
    parser: oneOf(['denied', 'allowed']),
    default: 'denied'
  },
  excludedNamespaces: {
    flag: 'excluded-namespaces',
    env: 'COUNTERSIGN_EXCLUDED_NAMESPACES',
    group: 'Attestation',
    description:
      'Namespaces whose pods never get certificates, whatever labels say, beside kube-system, kube-node-lease and the system namespace. Give the webhook the same.',
    parser: list(names),
    default: ''
  },
  floor: {
    flag: 'floor',
    env: 'COUNTERSIGN_FLOOR',
    group: 'Configuration',
    description:
      'File (YAML or JSON) that says what namespaces may not undo: mutualTls, injection and endUserChecks, for the mesh and for single namespaces (docs/floor.md). Read at the start. Give the webhook the same file. Without it, namespaces may undo everything.',
    parser: existing('file'),
    optional: true
  },
  clusterDomain: {
    flag: 'cluster-domain',
    env: 'COUNTERSIGN_CLUSTER_DOMAIN',
    group: 'Configuration',
    description: 'DNS suffix of the cluster: the end of <service>.<namespace>.svc.<suffix>.',
    parser: text('domain', 'a DNS name in lower case', DNS_NAME),
    default: 'cluster.local'
  },
  minimumTlsWithoutProxy: {
    flag: 'minimum-tls-without-proxy',
    env: 'COUNTERSIGN_MINIMUM_TLS_WITHOUT_PROXY',
    group: 'Configuration',
    description:
      'The lowest version of TLS that pods take from clients which have a certificate of the mesh and no proxy. 1.2 is for those that know nothing newer: it shows who calls to everybody on the way, and its key exchange does not resist quantum computers. Between proxies it is 1.3, always.',
    parser: oneOf(['1.2', '1.3']),
    default: '1.3'
  },
  podCidrs: {
    flag: 'pod-cidrs',
    env: 'COUNTERSIGN_POD_CIDRS',
    group: 'Attestation',
    description:
      'Whether a pod may have an address outside of the spec.podCIDRs of its Node. enforced: such an address belongs to no pod, so no Service leads clients there; a Node without podCIDRs is not checked. ignored: for cluster networks that do not take the addresses of pods from podCIDRs; the credentials of one kubelet then suffice to claim addresses of other nodes that no pod has yet.',
    parser: oneOf(['enforced', 'ignored']),
    default: 'enforced'
  },
  blockedKeyAddresses: {
    flag: 'blocked-key-addresses',
    env: 'COUNTERSIGN_BLOCKED_KEY_ADDRESSES',
    group: 'End users',
    description:
      'Addresses and networks from which keys of token issuers are never fetched, whatever their name resolves to: whoever may write a policy could have the authority call them. Empty: none.',
    parser: list(network),
    default: DEFAULT_BLOCKED_ADDRESSES.join(',')
  },
  keyRoots: {
    flag: 'key-roots',
    env: 'COUNTERSIGN_KEY_ROOTS',
    group: 'End users',
    description:
      'File of root certificates (PEM) that token issuers are verified with, beside those of the system. Read anew for each fetch.',
    parser: existing('file'),
    optional: true
  },
  secretNamespaces: {
    flag: 'secret-namespaces',
    env: 'COUNTERSIGN_SECRET_NAMESPACES',
    group: 'Certificates in Secrets',
    description:
      'Namespaces, or * for all, in which each service account gets a Secret with its certificate if the namespace has the label countersign.dev/secrets: enabled. Not with --folder. Empty: none.',
    parser: namespaces,
    default: ''
  },
  secretLifetime: {
    flag: 'secret-lifetime',
    env: 'COUNTERSIGN_SECRET_LIFETIME',
    group: 'Certificates in Secrets',
    description:
      'Lifetime of the certificates in Secrets where a service account asks for none. They are replaced at half of it.',
    parser: duration('30s', '90d'),
    default: '24h'
  },
  secretShortestLifetime: {
    flag: 'secret-shortest-lifetime',
    env: 'COUNTERSIGN_SECRET_SHORTEST_LIFETIME',
    group: 'Certificates in Secrets',
    description:
      'The shortest lifetime that a service account may ask for. The kubelet takes up to two minutes to show a changed Secret to a container, and programs take their time to read it again.',
    parser: duration('30s', '90d'),
    default: '10m'
  },
  secretLongestLifetime: {
    flag: 'secret-longest-lifetime',
    env: 'COUNTERSIGN_SECRET_LONGEST_LIFETIME',
    group: 'Certificates in Secrets',
    description:
      'The longest lifetime that a service account may ask for: whoever reads its Secret can be it for so long.',
    parser: duration('30s', '90d'),
    default: '90d'
  },
  listen: {
    flag: 'listen-address',
    env: 'COUNTERSIGN_LISTEN_ADDRESS',
    group: 'Addresses',
    description: 'Where agents connect: gRPC over TLS 1.3.',
    parser: listenAddress,
    default: '0.0.0.0:15012'
  },
  health: {
    flag: 'health-address',
    env: 'COUNTERSIGN_HEALTH_ADDRESS',
    group: 'Addresses',
    description: 'Where /livez, /readyz and /metrics are served, over plain HTTP.',
    parser: listenAddress,
    default: '0.0.0.0:15014'
  }
})

export type AuthorityOptions = OptionsOf<typeof OPTIONS>
