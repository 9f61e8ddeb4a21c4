import { type Pod, type Service, targetPortOf } from '../inventory/index.ts'
import type { Protocol } from '../proto/gen/countersign/mesh/v1/mesh_pb.js'
import { declarationOf, protocolOfName } from './declaration.ts'

/** What one object declares about one port of a pod. */
export interface Claim {
  /** `Service shop/orders`, or `a container`. */
  readonly object: string
  /** Absent: the object names the port and declares no protocol. */
  readonly protocol?: Protocol
  /** The field that declares it and its value: `appProtocol "grpc"`. */
  readonly field: string
}

/** A TCP port of a pod, and everything that is declared about it: Services in the given order, then containers. */
export interface ClaimedPort {
  readonly number: number
  readonly claims: readonly Claim[]
}

const CONTAINER = 'a container'

/**
 * The TCP ports that a pod is known to listen on, ascending: those of its containers and the target ports of the
 * Services that select it. A Service port that declares nothing declares what the container's port does, if anything.
 * A container's port without a known name is no claim.
 *
 * @param services that select the pod
 */
export function claimedPorts(
  pod: Pick<Pod, 'ports'>,
  services: readonly Pick<Service, 'namespace' | 'name' | 'ports'>[]
): readonly ClaimedPort[] {
  const byContainers = new Map<number, Claim[]>()
  for (const { name = '', number, protocol } of pod.ports) {
    if (protocol !== 'TCP') continue
    const claims = byContainers.get(number) ?? []
    byContainers.set(number, claims)
    const declared = protocolOfName(name)
    if (declared !== undefined) claims.push({ object: CONTAINER, protocol: declared, field: `port name "${name}"` })
  }
  const byServices = new Map<number, Claim[]>()
  for (const { namespace, name, ports } of services)
    for (const port of ports) {
      const number = targetPortOf(pod, port)
      if (number === undefined) continue
      const claims = byServices.get(number) ?? []
      byServices.set(number, claims)
      const object = `Service ${namespace}/${name}`
      const declaration = declarationOf(port)
      if (declaration !== undefined) claims.push({ object, ...declaration })
      else if ((byContainers.get(number)?.length ?? 0) === 0) claims.push({ object, field: silent(port.name) })
    }
  return [...new Set([...byContainers.keys(), ...byServices.keys()])]
    .sort((a, b) => a - b)
    .map(number => ({ number, claims: [...(byServices.get(number) ?? []), ...(byContainers.get(number) ?? [])] }))
}

const silent = (name: string): string => (name === '' ? 'a port without a name' : `port name "${name}"`)
