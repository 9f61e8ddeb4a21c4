import { type PortTraffic, trafficOn } from '../../shared/port-traffic/index.ts'
import { Protocol, type Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { memoize } from './memoize.ts'
import { isReserved } from './names.ts'

export interface WorkloadPort {
  readonly number: number
  readonly protocol: Protocol
  /** Why it is taken for that, for people. */
  readonly reason: string
  /** What callers may send there. */
  readonly traffic: PortTraffic
}

const NOTHING_SAID = { protocol: Protocol.UNSPECIFIED, reason: 'only a policy names it' }

/**
 * The ports that have chains of their own, each once and in order: those that are declared, and those that a policy
 * names, of which nothing is known. The proxy's own ports are none of the workload's.
 */
export const workloadPorts: (workload: Workload) => readonly WorkloadPort[] = memoize(workload => {
  const named = Object.keys(workload.portModes).map(Number)
  return portsOf(workload, named)
})

/**
 * The same, and the ports that policies on end users exempt: bytes of every kind pass there, and not on the other
 * ports that nothing declares. Only for redirected pods, where every port is open already: elsewhere an exemption would
 * open one.
 */
export const redirectedPorts: (workload: Workload) => readonly WorkloadPort[] = memoize(workload => {
  const exempt = (workload.endUsers?.rules ?? []).flatMap(({ exemptPorts }) => exemptPorts)
  const named = Object.keys(workload.portModes).map(Number)
  return portsOf(workload, [...named, ...exempt])
})

/** What callers may send on the ports that have no chains of their own. No exemption has this number. */
export const undeclaredTraffic = ({ endUsers }: Workload): PortTraffic =>
  trafficOn({ number: -1, protocol: Protocol.UNSPECIFIED }, endUsers)

function portsOf(workload: Workload, named: readonly number[]): readonly WorkloadPort[] {
  const ports = new Map<number, Omit<WorkloadPort, 'traffic'>>()
  for (const number of named) ports.set(number, { number, ...NOTHING_SAID })
  for (const { number, protocol, reason } of workload.ports) ports.set(number, { number, protocol, reason })
  return [...ports.values()]
    .filter(({ number }) => number > 0 && number <= 65_535 && !isReserved(number))
    .sort((a, b) => a.number - b.number)
    .map(port => ({ ...port, traffic: trafficOn(port, workload.endUsers) }))
}
