import { isHook, PROBE_KINDS, type Probe, type ProbeKind } from '../../shared/probes/index.ts'
import { type Container, containersOf, type PlacedContainer, type Pod } from '../pod/index.ts'
import type { Handler } from './handler.ts'
import { PROXY_CONTAINER } from './names.ts'
import { httpQuestion } from './probes-http.ts'

/** A probe or a hook of a container that asks the container over the network. */
export interface FoundProbe {
  readonly container: Container
  readonly kind: ProbeKind
  readonly handler: Handler
  readonly action: 'httpGet' | 'tcpSocket' | 'grpc'
  /** As it stands there: a number, or the name of a port of the container. */
  readonly port: number | string
  /** Of the handler. For messages: `spec.containers["web"].lifecycle.preStop`. */
  readonly path: string
  /** Of the handler. For patches (RFC 6901): `/spec/containers/0/lifecycle/preStop`. */
  readonly pointer: string
  /** What the kubelet would ask at the port of this number. */
  questionAt(port: number): Probe
}

const FIELDS: Readonly<Record<ProbeKind, readonly string[]>> = {
  startup: ['startupProbe'],
  readiness: ['readinessProbe'],
  liveness: ['livenessProbe'],
  postStart: ['lifecycle', 'postStart'],
  preStop: ['lifecycle', 'preStop']
}

const HANDLERS: Readonly<Record<ProbeKind, (container: Container) => Handler | null | undefined>> = {
  startup: ({ startupProbe }) => startupProbe,
  readiness: ({ readinessProbe }) => readinessProbe,
  liveness: ({ livenessProbe }) => livenessProbe,
  postStart: ({ lifecycle }) => lifecycle?.postStart,
  preStop: ({ lifecycle }) => lifecycle?.preStop
}

/** Those of all of a pod's own containers, in order. */
export const foundProbes = (pod: Pod): readonly FoundProbe[] =>
  probedContainers(pod).flatMap(placed =>
    PROBE_KINDS.flatMap(kind => {
      const handler = HANDLERS[kind](placed.container)
      const asked = handler && askedBy(placed.container.name, kind, handler)
      if (!asked) return []
      const { container, path, pointer } = placed
      const fields = FIELDS[kind]
      return [
        {
          ...asked,
          container,
          kind,
          handler,
          path: [path, ...fields].join('.'),
          pointer: [pointer, ...fields].join('/')
        }
      ]
    })
  )

// Others end before the application starts: Kubernetes allows them no probes and no hooks.
const probedContainers = (pod: Pod): readonly PlacedContainer[] =>
  containersOf(pod).filter(
    ({ container, pointer }) =>
      container.name !== PROXY_CONTAINER &&
      (pointer.startsWith('/spec/containers/') || container.restartPolicy === 'Always')
  )

type Asking = Pick<FoundProbe, 'action' | 'port' | 'questionAt'>

// Alpha in Kubernetes 1.37, and nothing that the proxy can ask: HTTP/2 in the clear, gRPC over TLS. They stay as they are.
function askedBy(container: string, kind: ProbeKind, { httpGet, tcpSocket, grpc }: Handler): Asking | undefined {
  const of = { container, kind }
  // A hook that names a host tells somebody else, and a tcpSocket that does asks somebody else: not through the pod.
  if (httpGet && httpGet.protocol !== 'HTTP2' && !(isHook(kind) && httpGet.host)) {
    const questionAt = (port: number): Probe => ({ ...of, ...httpQuestion(httpGet, port) })
    return { action: 'httpGet', port: httpGet.port, questionAt }
  }
  // The API still has the two for hooks; the kubelet refuses them.
  if (isHook(kind)) return undefined
  if (tcpSocket && !tcpSocket.host)
    return { action: 'tcpSocket', port: tcpSocket.port, questionAt: port => ({ ...of, protocol: 'tcp', port }) }
  if (grpc && grpc.mode !== 'TLS') {
    const service = grpc.service ?? ''
    return { action: 'grpc', port: grpc.port, questionAt: port => ({ ...of, protocol: 'grpc', port, service }) }
  }
  return undefined
}
