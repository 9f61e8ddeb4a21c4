import { Protocol, type Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { memoize } from './memoize.ts'
import { isReserved } from './names.ts'

export interface WorkloadPort {
  readonly number: number
  readonly protocol: Protocol
  /** Why it is taken for that, for people. */
  readonly reason: string
}

const NOTHING_SAID = { protocol: Protocol.UNSPECIFIED, reason: 'only a policy names it' }

/**
 * The ports that have chains of their own, each once and in order: those that are declared, and those that a policy
 * names, of which nothing is known. The proxy's own ports are none of the workload's.
 */
export const workloadPorts: (workload: Workload) => readonly WorkloadPort[] = memoize(workload => {
  const ports = new Map<number, WorkloadPort>()
  for (const number of Object.keys(workload.portModes).map(Number)) ports.set(number, { number, ...NOTHING_SAID })
  for (const { number, protocol, reason } of workload.ports) ports.set(number, { number, protocol, reason })
  return [...ports.values()]
    .filter(({ number }) => number > 0 && number <= 65_535 && !isReserved(number))
    .sort((a, b) => a.number - b.number)
})
