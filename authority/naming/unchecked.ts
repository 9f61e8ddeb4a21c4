import { Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { SelectedEndUserPolicies } from './end-user-policy.ts'
import type { ProblemList } from './problem.ts'
import type { DeclaredPort } from './workload-port.ts'

const WHY: Readonly<Partial<Record<Protocol, string>>> = {
  [Protocol.TCP]: 'which is declared as plain TCP: no token is asked for there',
  [Protocol.TLS]: 'on which the application speaks TLS itself: no token is asked for there',
  [Protocol.UNSPECIFIED]: 'which declares nothing: a token is asked for only where HTTP is recognised'
}

/**
 * Tells on which ports an EndUserAuthentication does not do what it says, because what is spoken there is not HTTP, or
 * not known to be. It is told of the policy and the port, and so once for all replicas.
 */
export function reportUnchecked(
  { required }: SelectedEndUserPolicies,
  ports: readonly DeclaredPort[],
  problems: ProblemList
): void {
  for (const { namespace, name } of required)
    for (const { number, protocol } of ports) {
      const why = WHY[protocol]
      if (why !== undefined)
        problems.add(
          'end-users-unchecked',
          `EndUserAuthentication ${namespace}/${name}`,
          `selects pods with port ${number}, ${why}`
        )
    }
}
