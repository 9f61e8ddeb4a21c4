import { PROBES_ATTRIBUTE } from '../../shared/probes/index.ts'
import type { Container, Volume } from '../pod/index.ts'
import { APPLICATION_ADDRESS, type ProxyWishes } from './annotations.ts'
import { BOOTSTRAP_PATH, CSI_DRIVER, MOUNT_PATH, PROXY_CONTAINER, PROXY_PORTS, PROXY_USER, VOLUME } from './names.ts'
import { wholeUnits } from './quantity.ts'
import type { InjectionSettings, ProxyLogLevel } from './settings.ts'

/**
 * The one container that is added: Envoy as a native sidecar (Kubernetes: init container with restartPolicy Always),
 * which starts before every other container, is ready before the next one starts, and ends after the last.
 */
export function proxyContainer(settings: InjectionSettings, wishes: ProxyWishes): Container {
  const { cpu, cpuLimit, memory, memoryLimit } = wishes.resources
  return {
    name: PROXY_CONTAINER,
    image: settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    restartPolicy: 'Always',
    args: proxyArguments(settings, wishes),
    ports: [{ name: 'proxy-metrics', containerPort: PROXY_PORTS.metrics, protocol: 'TCP' }],
    resources: {
      requests: { cpu: cpu.text, memory: memory.text },
      limits: { cpu: cpuLimit.text, memory: memoryLimit.text }
    },
    // The gate: the port exists only in listeners that the agent sends once traffic is captured. Ten minutes without
    // them restart the proxy, which costs nothing then. No liveness probe: a restart later would drop connections.
    startupProbe: { ...readyEndpoint, periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 600 },
    // A proxy that no longer answers cannot serve its pod: traffic goes elsewhere until it does.
    readinessProbe: { ...readyEndpoint, periodSeconds: 10, timeoutSeconds: 3, failureThreshold: 3 },
    // Everything that the restricted Pod Security Standard asks for, on the container: the pod's own is not ours.
    securityContext: {
      runAsUser: PROXY_USER,
      runAsGroup: PROXY_USER,
      runAsNonRoot: true,
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' }
    },
    volumeMounts: [{ name: VOLUME, mountPath: MOUNT_PATH, readOnly: true }],
    // The end of Envoy's log becomes the termination message, so that `kubectl describe` tells why it ended.
    terminationMessagePolicy: 'FallbackToLogsOnError'
  }
}

const readyEndpoint = { httpGet: { path: '/ready', port: PROXY_PORTS.readiness, scheme: 'HTTP' } }

// Envoy warns of every new matcher of the xDS project wherever it meets one: 150 lines for each pod, and again for each
// change. At the levels before, everything is wanted; at those after, nothing of it is said.
const REMARKS_AT: ReadonlySet<ProxyLogLevel> = new Set(['info', 'warning'])

/** Source: Envoy 1.40, operations/cli. */
function proxyArguments(settings: InjectionSettings, { logLevel, resources }: ProxyWishes): string[] {
  return [
    ...['-c', BOOTSTRAP_PATH],
    ...['--log-level', logLevel],
    ...(REMARKS_AT.has(logLevel) ? ['--component-log-level', 'misc:error'] : []),
    // More workers than CPUs would be throttled together; without this, Envoy starts one per CPU of the node.
    ...['--concurrency', String(wholeUnits(resources.cpuLimit))],
    ...['--drain-time-s', String(settings.drainTimeSeconds)],
    // From the first moment of the drain time on, every response asks its client to connect anew.
    ...['--drain-strategy', 'immediate'],
    // Access logs leave the proxy once a second; by default only every ten, and who looks for a refusal waits that long.
    ...['--file-flush-interval-msec', '1000'],
    // One Envoy per pod, replaced with the pod: no shared memory and no socket between two of them.
    '--disable-hot-restart'
  ]
}

/**
 * The one volume that is added: the pod's own folder on its node, made when the kubelet asks the CSI driver for it.
 *
 * @param probes what the agent has to know of probes that were rewritten, if any
 */
export function proxyVolume({ applicationAddress, exclusions }: ProxyWishes, probes?: string): Volume {
  const attributes = {
    ...(applicationAddress === undefined ? {} : { [APPLICATION_ADDRESS]: applicationAddress }),
    ...exclusions,
    ...(probes === undefined ? {} : { [PROBES_ATTRIBUTE]: probes })
  }
  const hasAttributes = Object.keys(attributes).length > 0
  return {
    name: VOLUME,
    csi: { driver: CSI_DRIVER, readOnly: true, ...(hasAttributes ? { volumeAttributes: attributes } : {}) }
  }
}
