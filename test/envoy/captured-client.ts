import { create, fromBinary } from '@bufbuild/protobuf'
import type { MeshState, PodState } from '../../agent/proxy/index.ts'
import { type Address, AddressSchema } from '../../shared/proto/gen/envoy/config/core/v3/address_pb.js'
import { AdditionalAddressSchema, ListenerSchema } from '../../shared/proto/gen/envoy/config/listener/v3/listener_pb.js'
import { createResource, type Resource, resourceMap, type Snapshot, TYPE } from '../../shared/xds/index.ts'
import { type ExplicitPod, startExplicitPod } from './explicit-pod.ts'

/**
 * The proxy of a pod whose outgoing connections are redirected, without a network namespace: it listens at `address`,
 * which is a Service's, on these ports, and so knows where a connection was going. What comes in is no part of it.
 */
export const startCapturedClient = (
  state: MeshState,
  pod: PodState,
  address: string,
  ports: readonly [number, ...number[]]
): Promise<ExplicitPod> => startExplicitPod(state, pod, snapshot => atItsDestinations(snapshot, address, ports))

function atItsDestinations({ types }: Snapshot, address: string, ports: readonly [number, ...number[]]): Snapshot {
  const listeners = types.get(TYPE.listener)
  const outbound = listeners?.get('outbound')
  const undeclared = listeners?.get('outbound-undeclared')
  if (outbound === undefined || undeclared === undefined) throw new TypeError('these are no listeners of such a pod')
  return {
    types: new Map(types).set(TYPE.listener, resourceMap([listeningAt(outbound, address, ports), undeclared]))
  }
}

function listeningAt({ name, value }: Resource, address: string, [first, ...others]: readonly [number, ...number[]]) {
  const listener = fromBinary(ListenerSchema, value)
  listener.listenerFilters = []
  listener.address = at(address, first)
  listener.additionalAddresses = others.map(port => create(AdditionalAddressSchema, { address: at(address, port) }))
  return createResource(ListenerSchema, name, listener)
}

const at = (address: string, port: number): Address =>
  create(AddressSchema, {
    address: { case: 'socketAddress', value: { address, portSpecifier: { case: 'portValue', value: port } } }
  })
