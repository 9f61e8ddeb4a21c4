import type { Operation } from 'fast-json-patch'
import {
  PROBE_KINDS,
  PROBES_ATTRIBUTE,
  type Probe,
  type ProbeKind,
  probePath,
  probeProblems,
  readProbes,
  writeProbes
} from '../../shared/probes/index.ts'
import { reservedPort } from './conflicts.ts'
import { PROXY_CONTAINER, PROXY_PORTS } from './names.ts'
import { type Container, containersOf, type HttpGet, type PlacedContainer, type Pod, type Volume } from './pod.ts'

/** What becomes of the probes of a pod. */
export interface RewrittenProbes {
  readonly operations: readonly Operation[]
  /** For the agent: what the kubelet would have asked; `undefined` when there is nothing. */
  readonly attribute: string | undefined
  readonly problems: readonly string[]
}

export const UNTOUCHED: RewrittenProbes = { operations: [], attribute: undefined, problems: [] }

const FIELDS = { startup: 'startupProbe', readiness: 'readinessProbe', liveness: 'livenessProbe' } as const

/**
 * Sends the httpGet probes of a pod's own containers to the proxy. The kubelet has no certificate, so a port that
 * accepts mutual TLS alone would refuse it; the proxy asks the application instead, and says what it answered.
 *
 * Probes of kind exec and grpc, and tcpSocket ones, stay as they are: exec needs no connection, grpc works on ports
 * that accept plaintext, and a tcpSocket to any port finds the proxy, so it tells nothing about the application.
 * A `host` no longer says where the probe goes, which is always the pod itself, only what the application reads.
 *
 * @param before the volume of an earlier injection, which says what became of probes that were rewritten then
 */
export function rewriteProbes(pod: Pod, before: Volume | undefined): RewrittenProbes {
  const recorded = readProbes(before?.csi?.volumeAttributes?.[PROBES_ATTRIBUTE] ?? '{}')
  if ('problem' in recorded)
    return { ...UNTOUCHED, problems: [`volume attribute ${PROBES_ATTRIBUTE}: ${recorded.problem}`] }
  const probes = new Map(recorded.probes.map(probe => [probePath(probe.container, probe.kind), probe]))
  const operations: Operation[] = []
  const problems: string[] = []
  for (const { container, path, pointer } of probedContainers(pod))
    for (const kind of PROBE_KINDS) {
      const httpGet = container[FIELDS[kind]]?.httpGet
      if (!httpGet) continue
      const target = probePath(container.name, kind)
      if (httpGet.port === PROXY_PORTS.probes && httpGet.path === target && probes.has(target)) continue
      const field = `${path}.${FIELDS[kind]}.httpGet`
      const port = portNumber(httpGet.port, container)
      const probe = port === undefined ? undefined : probeOf(container.name, kind, httpGet, port)
      if (probe === undefined) problems.push(`${field}.port ${JSON.stringify(httpGet.port)}: ${portsOf(container)}`)
      else problems.push(...faults(probe).map(fault => `${field}.${fault}`))
      if (probe === undefined) continue
      probes.set(target, probe)
      const value = { path: target, port: PROXY_PORTS.probes, scheme: 'HTTP' }
      operations.push({ op: 'replace', path: `${pointer}/${FIELDS[kind]}/httpGet`, value })
    }
  return { operations, attribute: probes.size === 0 ? undefined : writeProbes([...probes.values()]), problems }
}

// Others end before the application starts: Kubernetes allows them no probes.
const probedContainers = (pod: Pod): readonly PlacedContainer[] =>
  containersOf(pod).filter(
    ({ container, pointer }) =>
      container.name !== PROXY_CONTAINER &&
      (pointer.startsWith('/spec/containers/') || container.restartPolicy === 'Always')
  )

/** As the kubelet resolves it: by the container's own ports, and last as a number in text (pkg/probe, util.go). */
function portNumber(port: number | string, { ports }: Container): number | undefined {
  if (typeof port === 'number') return port
  const named = ports?.find(({ name }) => name === port)
  if (named !== undefined) return named.containerPort
  return /^\d{1,5}$/.test(port) ? Number(port) : undefined
}

function portsOf({ ports }: Container): string {
  const names = (ports ?? []).flatMap(({ name }) => name ?? [])
  return `expected a number, or the name of a port of the container${names.length === 0 ? ', which has none' : `: ${names.join(', ')}`}`
}

function faults(probe: Probe): string[] {
  const reserved = reservedPort(probe.port)
  return reserved === undefined ? probeProblems(probe) : [`port ${probe.port}: ${reserved}`]
}

/** Source: Kubernetes 1.36, pkg/probe/http/request.go. */
function probeOf(container: string, kind: ProbeKind, httpGet: HttpGet, port: number): Probe {
  const headers = (httpGet.httpHeaders ?? []).map(({ name, value }) => [name, value ?? ''] as const)
  const named = headers.find(([name]) => name.toLowerCase() === 'host')?.[1]
  const host = named || (httpGet.host ? `${inBrackets(httpGet.host)}:${port}` : undefined)
  return {
    container,
    kind,
    port,
    path: requestPath(httpGet.path ?? '/'),
    scheme: httpGet.scheme === 'HTTPS' ? 'HTTPS' : 'HTTP',
    ...(host === undefined ? {} : { host }),
    headers: headers.filter(([name]) => !NOT_SENT.has(name.toLowerCase()))
  }
}

// Go's HTTP client writes these itself, whatever a header says (net/http, reqWriteExcludeHeader).
const NOT_SENT: ReadonlySet<string> = new Set(['host', 'content-length', 'transfer-encoding', 'trailer'])

const inBrackets = (host: string): string => (host.includes(':') ? `[${host}]` : host)

/** What stands in the request: no fragment, a slash at the start, and what is not allowed there percent-encoded. */
function requestPath(path: string): string {
  const [sent = ''] = path.split('#')
  const encoded = sent.replace(/[^!-~]+|[<>"\\^`{|}]+/g, part =>
    Buffer.from(part).toString('hex').toUpperCase().replace(/../g, '%$&')
  )
  return encoded.startsWith('/') ? encoded : `/${encoded}`
}

// The CSI node service takes no more of a pod, all attributes together as JSON.
const LONGEST_ATTRIBUTES = 16 * 1024

/** Whether the probes of a pod are too many for its volume, as a sentence. */
export function attributeProblems({ csi }: Volume): string[] {
  const length = JSON.stringify(csi?.volumeAttributes ?? {}).length
  if (length <= LONGEST_ATTRIBUTES) return []
  return [
    `volume attribute ${PROBES_ATTRIBUTE}: what the probes say makes ${length} characters, expected at most ${LONGEST_ATTRIBUTES}`
  ]
}
