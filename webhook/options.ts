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
  text
} from '../shared/config/index.ts'
import { DNS_LABEL, DNS_NAME } from '../shared/names/index.ts'
import { AMOUNTS, IMAGE_PULL_POLICIES, PROXY_LOG_LEVELS, type Quantity, type ResourceName } from './injection/index.ts'

const namespace = text('namespace', 'the name of a namespace', DNS_LABEL)
const dnsName = text('DNS name', 'a DNS name in lower case', DNS_NAME)
const image = text('image', 'the reference of an image, without blanks', /^\S+$/)

function amount(resource: ResourceName): Parser<Quantity> {
  return { placeholder: 'amount', ...AMOUNTS[resource] }
}

/** Everything that can be set; `--help` prints it. */
export const WEBHOOK_OPTIONS = defineOptions({
  listenAddress: {
    flag: 'listen-address',
    env: 'COUNTERSIGN_LISTEN_ADDRESS',
    group: 'Listening',
    description: 'Where the API server asks: HTTPS, TLS 1.3, paths /inject, /certificates and /validate.',
    parser: listenAddress,
    default: '0.0.0.0:9443'
  },
  healthAddress: {
    flag: 'health-address',
    env: 'COUNTERSIGN_HEALTH_ADDRESS',
    group: 'Listening',
    description: 'Where the kubelet and Prometheus ask: HTTP, paths /livez, /readyz and /metrics.',
    parser: listenAddress,
    default: '0.0.0.0:8081'
  },
  shutdownDelay: {
    flag: 'shutdown-delay',
    env: 'COUNTERSIGN_SHUTDOWN_DELAY',
    group: 'Listening',
    description:
      'How long it goes on answering after SIGTERM, not ready any more, until nobody asks it: every question that finds a closed port is a pod that is refused.',
    parser: duration('0s', '8s'),
    default: '3s'
  },
  dnsNames: {
    flag: 'dns-names',
    env: 'COUNTERSIGN_DNS_NAMES',
    group: 'Certificate',
    description: 'Names in the serving certificate: those under which the API server reaches the Service.',
    parser: list(dnsName),
    default: 'countersign-webhook.countersign-system.svc'
  },
  certificateLifetime: {
    flag: 'certificate-lifetime',
    env: 'COUNTERSIGN_CERTIFICATE_LIFETIME',
    group: 'Certificate',
    description:
      'How long the serving certificate is valid; it is replaced when two thirds are over, and its root lives 30 times as long.',
    parser: duration('10m', '90d'),
    default: '24h'
  },
  certificateFolder: {
    flag: 'certificate-folder',
    env: 'COUNTERSIGN_CERTIFICATE_FOLDER',
    group: 'Certificate',
    description:
      'Folder with tls.crt, tls.key and perhaps ca.crt, as cert-manager writes them: used instead of a certificate of its own, and read again every 10 s.',
    parser: existing('directory'),
    optional: true
  },
  caBundleFile: {
    flag: 'ca-bundle-file',
    env: 'COUNTERSIGN_CA_BUNDLE_FILE',
    group: 'Certificate',
    description: 'File into which the roots are written that the API server should trust, whenever they change.',
    parser: path,
    optional: true
  },
  webhookConfiguration: {
    flag: 'webhook-configuration',
    env: 'COUNTERSIGN_WEBHOOK_CONFIGURATION',
    group: 'Registration',
    description:
      'Name of the MutatingWebhookConfiguration and of the ValidatingWebhookConfiguration whose caBundle is kept current. Then replicas share their roots in the Secret countersign-webhook-ca of the system namespace. Without it, somebody else sees to the caBundle.',
    parser: text('name', 'the name of an object of Kubernetes', /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/),
    optional: true
  },
  kubeconfig: {
    flag: 'kubeconfig',
    env: 'COUNTERSIGN_KUBECONFIG',
    group: 'Registration',
    description:
      'With --webhook-configuration: kubeconfig file that leads to the Kubernetes API, for a webhook that is no pod. Without it the service account of the pod is used.',
    parser: existing('file'),
    optional: true
  },
  systemNamespace: {
    flag: 'system-namespace',
    env: 'COUNTERSIGN_SYSTEM_NAMESPACE',
    group: 'Injection',
    description: 'Namespace of Countersign itself; no pod is changed there, nor in kube-system and kube-node-lease.',
    parser: namespace,
    default: 'countersign-system'
  },
  excludedNamespaces: {
    flag: 'excluded-namespaces',
    env: 'COUNTERSIGN_EXCLUDED_NAMESPACES',
    group: 'Injection',
    description: 'Further namespaces in which no pod is changed, whatever their labels say.',
    parser: list(namespace),
    default: ''
  },
  floor: {
    flag: 'floor',
    env: 'COUNTERSIGN_FLOOR',
    group: 'Injection',
    description:
      'File (YAML or JSON) that says what namespaces may not undo: mutualTls, injection and endUserChecks, for the mesh and for single namespaces (docs/floor.md). Read at the start. Give the authority the same file. Without it, namespaces may undo everything.',
    parser: existing('file'),
    optional: true
  },
  proxyImage: {
    flag: 'proxy-image',
    env: 'COUNTERSIGN_PROXY_IMAGE',
    group: 'Proxy',
    description: 'Image of the proxy: Envoy 1.40 as its entry point.',
    parser: image,
    default: 'envoyproxy/envoy:distroless-v1.40.0'
  },
  proxyImagePullPolicy: {
    flag: 'proxy-image-pull-policy',
    env: 'COUNTERSIGN_PROXY_IMAGE_PULL_POLICY',
    group: 'Proxy',
    description: 'When the kubelet pulls that image.',
    parser: oneOf(IMAGE_PULL_POLICIES),
    default: 'IfNotPresent'
  },
  proxyCpu: {
    flag: 'proxy-cpu',
    env: 'COUNTERSIGN_PROXY_CPU',
    group: 'Proxy',
    description: 'CPU that a proxy requests. A pod changes it by the annotation countersign.dev/proxy-cpu.',
    parser: amount('cpu'),
    default: '100m'
  },
  proxyCpuLimit: {
    flag: 'proxy-cpu-limit',
    env: 'COUNTERSIGN_PROXY_CPU_LIMIT',
    group: 'Proxy',
    description:
      'CPU that a proxy may use, and, rounded up, how many worker threads it starts. A pod changes it by the annotation countersign.dev/proxy-cpu-limit.',
    parser: amount('cpuLimit'),
    default: '2'
  },
  proxyMemory: {
    flag: 'proxy-memory',
    env: 'COUNTERSIGN_PROXY_MEMORY',
    group: 'Proxy',
    description: 'Memory that a proxy requests. A pod changes it by the annotation countersign.dev/proxy-memory.',
    parser: amount('memory'),
    default: '128Mi'
  },
  proxyMemoryLimit: {
    flag: 'proxy-memory-limit',
    env: 'COUNTERSIGN_PROXY_MEMORY_LIMIT',
    group: 'Proxy',
    description: 'Memory that a proxy may use. A pod changes it by the annotation countersign.dev/proxy-memory-limit.',
    parser: amount('memoryLimit'),
    default: '1Gi'
  },
  proxyLogLevel: {
    flag: 'proxy-log-level',
    env: 'COUNTERSIGN_PROXY_LOG_LEVEL',
    group: 'Proxy',
    description: 'Level of the proxies’ own logs. A pod changes it by the annotation countersign.dev/proxy-log-level.',
    parser: oneOf(PROXY_LOG_LEVELS),
    default: 'warning'
  },
  proxyDrainTime: {
    flag: 'proxy-drain-time',
    env: 'COUNTERSIGN_PROXY_DRAIN_TIME',
    group: 'Proxy',
    description: 'How long connections get to move when a listener of a proxy changes, in whole seconds.',
    parser: duration('1s', '1h'),
    default: '45s'
  }
})

export type WebhookOptions = OptionsOf<typeof WEBHOOK_OPTIONS>
