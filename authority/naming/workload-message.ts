import { create } from '@bufbuild/protobuf'
import type { Pod } from '../../shared/inventory/index.ts'
import {
  type EndUserChecks,
  type Workload,
  WorkloadSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { EffectivePolicy } from './peer-policy.ts'
import type { DeclaredPort } from './workload-port.ts'

/** A pod as the agent of its node sees it. */
export function workloadMessage(
  pod: Pod,
  policy: EffectivePolicy,
  ports: readonly DeclaredPort[],
  endUsers: EndUserChecks | undefined
): Workload {
  return create(WorkloadSchema, {
    uid: pod.uid,
    namespace: pod.namespace,
    name: pod.name,
    serviceAccount: pod.serviceAccount,
    addresses: [...pod.addresses],
    ports: [...ports],
    mode: policy.mode,
    portModes: Object.fromEntries(policy.portModes),
    ...(endUsers === undefined ? {} : { endUsers })
  })
}
