import { type Pod, type Service, targetPortOf } from '../../shared/inventory/index.ts'
import { Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { ProblemList } from './problem.ts'
import { declaredProtocol, protocolOfName } from './protocol.ts'

export interface DeclaredPort {
  readonly number: number
  readonly protocol: Protocol
}

interface Declaration {
  readonly protocol: Protocol
  readonly service: string
}

/**
 * The TCP ports that a pod is known to listen on, ascending: those of its containers and the target ports of the
 * Services that select it. What a Service declares to be spoken there wins over the name of the container's port; of
 * two Services that contradict each other the first one given holds, and the contradiction is reported.
 */
export function workloadPorts(pod: Pod, services: readonly Service[], problems: ProblemList): readonly DeclaredPort[] {
  const protocols = new Map<number, Protocol | undefined>()
  for (const { name, number, protocol } of pod.ports)
    if (protocol === 'TCP') protocols.set(number, protocols.get(number) ?? protocolOfName(name ?? ''))
  const declarations = new Map<number, Declaration>()
  for (const service of services)
    for (const port of service.ports) {
      const number = targetPortOf(pod, port)
      if (number === undefined) continue
      if (!protocols.has(number)) protocols.set(number, undefined)
      const protocol = declaredProtocol(port)
      if (protocol === undefined) continue
      const declaration = { protocol, service: `Service ${service.namespace}/${service.name}` }
      const first = declarations.get(number)
      if (first === undefined) declarations.set(number, declaration)
      else if (first.protocol !== protocol) reportConflict(number, first, declaration, problems)
    }
  return [...protocols]
    .map(([number, named]) => ({ number, protocol: declarations.get(number)?.protocol ?? named ?? Protocol.TCP }))
    .sort((a, b) => a.number - b.number)
}

function reportConflict(port: number, first: Declaration, second: Declaration, problems: ProblemList): void {
  const [held, ignored] = [Protocol[first.protocol], Protocol[second.protocol]]
  const message = `declares ${ignored} on port ${port} of its pods, ${first.service} declares ${held}: ${held} holds`
  problems.add('protocol-conflict', second.service, message)
}
