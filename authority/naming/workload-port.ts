import type { Pod, Service } from '../../shared/inventory/index.ts'
import { claimedPorts, type HeldProtocol, heldProtocol, portConflicts } from '../../shared/port-protocol/index.ts'
import type { TokenRule } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { ProblemList } from './problem.ts'

export interface DeclaredPort extends HeldProtocol {
  readonly number: number
}

/**
 * The declared TCP ports of a pod, ascending, with what is spoken on each. Contradictions are reported.
 *
 * @param services that select the pod
 * @param rules for tokens that hold for the pod: a port on which one holds is checked, see `heldProtocol`
 */
export function workloadPorts(
  pod: Pod,
  services: readonly Service[],
  rules: readonly Pick<TokenRule, 'exemptPorts'>[],
  problems: ProblemList
): readonly DeclaredPort[] {
  return claimedPorts(pod, services).map(port => {
    const isChecked = rules.some(({ exemptPorts }) => !exemptPorts.includes(port.number))
    const held = heldProtocol(port.claims, isChecked)
    for (const { object, message } of portConflicts(port, held)) problems.add('protocol-conflict', object, message)
    return { number: port.number, ...held }
  })
}
