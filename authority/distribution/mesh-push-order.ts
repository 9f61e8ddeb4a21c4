import {
  EndpointsSchema,
  KeySetSchema,
  LoginSecretSchema,
  MeshSchema,
  ServiceSchema,
  WorkloadSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { type PushOrder, typeUrlOf } from '../../shared/xds/index.ts'

const mesh = typeUrlOf(MeshSchema)
const keySet = typeUrlOf(KeySetSchema)
const loginSecret = typeUrlOf(LoginSecretSchema)
const workload = typeUrlOf(WorkloadSchema)
const service = typeUrlOf(ServiceSchema)
const endpoints = typeUrlOf(EndpointsSchema)

/**
 * Trust before whoever is to be trusted: an agent knows a root before it is told of identities under it. Services come
 * before the endpoints behind them, and go after them; so do keys before the workloads that verify tokens with them, and secrets before those that
 * sign people in with them.
 */
export const MESH_PUSH_ORDER: PushOrder = {
  updates: [mesh, keySet, loginSecret, workload, service, endpoints],
  removals: [endpoints, service, workload, loginSecret, keySet, mesh]
}
