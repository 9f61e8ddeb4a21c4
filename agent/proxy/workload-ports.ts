import { Protocol, type Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { memoize } from './memoize.ts'
import { isReserved } from './names.ts'

export interface WorkloadPort {
  readonly number: number
  readonly protocol: Protocol
}

/**
 * The ports that have chains of their own, each once and in order: those that are declared, and those that a policy
 * names, of which nothing is known. The proxy's own ports are none of the workload's.
 */
export const workloadPorts: (workload: Workload) => readonly WorkloadPort[] = memoize(workload => {
  const protocols = new Map<number, Protocol>()
  for (const number of Object.keys(workload.portModes)) protocols.set(Number(number), Protocol.TCP)
  for (const { number, protocol } of workload.ports) protocols.set(number, protocol)
  return [...protocols]
    .filter(([number]) => number > 0 && number <= 65_535 && !isReserved(number))
    .sort(([a], [b]) => a - b)
    .map(([number, protocol]) => ({ number, protocol }))
})
