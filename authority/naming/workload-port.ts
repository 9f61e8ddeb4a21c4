import { type Pod, type Service, targetPortOf } from '../../shared/inventory/index.ts'
import { Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { ProblemList } from './problem.ts'
import { type Declaration, declarationOf, protocolOfName } from './protocol.ts'

export interface DeclaredPort {
  readonly number: number
  readonly protocol: Protocol
  /** Who says so, for people. */
  readonly reason: string
}

/** Who declares, and what. */
interface Claim extends Declaration {
  readonly object: string
}

const reasonOf = ({ field, object }: Claim): string => `${field} of ${object}`

const NOTHING_SAID = { protocol: Protocol.UNSPECIFIED, reason: 'nothing says what is spoken' }

/**
 * The TCP ports that a pod is known to listen on, ascending: those of its containers and the target ports of the
 * Services that select it. What a Service declares to be spoken there wins over the name of the container's port; of
 * two Services that contradict each other the first one given holds, and the contradiction is reported.
 */
export function workloadPorts(pod: Pod, services: readonly Service[], problems: ProblemList): readonly DeclaredPort[] {
  const byContainers = new Map<number, Claim | undefined>()
  for (const { name, number, protocol } of pod.ports)
    if (protocol === 'TCP') byContainers.set(number, byContainers.get(number) ?? claimOfContainer(name))
  const byServices = new Map<number, Claim>()
  const numbers = new Set(byContainers.keys())
  for (const service of services)
    for (const port of service.ports) {
      const number = targetPortOf(pod, port)
      if (number === undefined) continue
      numbers.add(number)
      const declaration = declarationOf(port)
      if (declaration === undefined) continue
      const claim = { ...declaration, object: `Service ${service.namespace}/${service.name}` }
      const first = byServices.get(number)
      if (first === undefined) byServices.set(number, claim)
      else if (first.protocol !== claim.protocol) reportConflict(number, first, claim, problems)
    }
  return [...numbers]
    .sort((a, b) => a - b)
    .map(number => {
      const claim = byServices.get(number) ?? byContainers.get(number)
      if (claim === undefined) return { number, ...NOTHING_SAID }
      return { number, protocol: claim.protocol, reason: reasonOf(claim) }
    })
}

function claimOfContainer(name = ''): Claim | undefined {
  const protocol = protocolOfName(name)
  return protocol === undefined ? undefined : { protocol, field: `port name "${name}"`, object: 'a container' }
}

function reportConflict(port: number, first: Claim, second: Claim, problems: ProblemList): void {
  const [held, ignored] = [first, second].map(({ protocol }) => Protocol[protocol])
  const message = `declares ${ignored} on port ${port} of its pods, ${first.object} declares ${held}: ${held} holds`
  problems.add('protocol-conflict', second.object, message)
}
