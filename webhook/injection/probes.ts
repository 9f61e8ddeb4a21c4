import type { Operation } from 'fast-json-patch'
import {
  PROBES_ATTRIBUTE,
  type Probe,
  probePath,
  probeProblems,
  readProbes,
  writeProbes
} from '../../shared/probes/index.ts'
import type { Container, Pod, Volume } from '../pod/index.ts'
import { reservedPort } from './conflicts.ts'
import { PROXY_PORTS } from './names.ts'
import { type FoundProbe, foundProbes } from './probes-found.ts'

/** What becomes of the probes and hooks of a pod. */
export interface RewrittenProbes {
  readonly operations: readonly Operation[]
  /** For the agent: what the kubelet would have asked; `undefined` when there is nothing. */
  readonly attribute: string | undefined
  readonly problems: readonly string[]
}

export const UNTOUCHED: RewrittenProbes = { operations: [], attribute: undefined, problems: [] }

/**
 * Sends the probes of a pod's own containers (httpGet, tcpSocket, grpc) and their hooks (httpGet) to the proxy. The
 * kubelet has no certificate, so a port that accepts mutual TLS alone would refuse it, and whoever only connects finds
 * the proxy; the proxy asks the application instead, and says what it answered.
 *
 * Those of kind exec and sleep need no connection, and stay as they are, like those that name another host. Only the
 * `host` of an httpGet probe no longer says where it goes, which is always the pod itself, but what the application
 * reads.
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
  for (const found of foundProbes(pod)) {
    const target = probePath(found.container.name, found.kind)
    if (asksProxy(found, target) && probes.has(target)) continue
    const field = `${found.path}.${found.action}`
    const port = portNumber(found.port, found.container)
    if (port === undefined) {
      problems.push(`${field}.port ${JSON.stringify(found.port)}: ${portsOf(found.container)}`)
      continue
    }
    const probe = found.questionAt(port)
    problems.push(...faults(probe).map(fault => `${field}.${fault}`))
    probes.set(target, probe)
    operations.push(...redirection(found, target))
  }
  return { operations, attribute: probes.size === 0 ? undefined : writeProbes([...probes.values()]), problems }
}

const asksProxy = ({ handler: { httpGet } }: FoundProbe, target: string): boolean =>
  httpGet?.port === PROXY_PORTS.probes && httpGet.path === target

function redirection({ action, pointer }: FoundProbe, target: string): Operation[] {
  const value = { path: target, port: PROXY_PORTS.probes, scheme: 'HTTP' }
  if (action === 'httpGet') return [{ op: 'replace', path: `${pointer}/httpGet`, value }]
  return [
    { op: 'remove', path: `${pointer}/${action}` },
    { op: 'add', path: `${pointer}/httpGet`, value }
  ]
}

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

// The CSI node service takes no more of a pod, all attributes together as JSON.
const LONGEST_ATTRIBUTES = 16 * 1024

/** Whether what is said of a pod is too much for its volume, as a sentence: probes are the one thing without a bound. */
export function attributeProblems({ csi }: Volume): string[] {
  const length = JSON.stringify(csi?.volumeAttributes ?? {}).length
  if (length <= LONGEST_ATTRIBUTES) return []
  return [
    `volume attribute ${PROBES_ATTRIBUTE}: what the probes say makes ${length} characters, expected at most ${LONGEST_ATTRIBUTES}`
  ]
}
