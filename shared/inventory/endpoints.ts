import { isIP } from 'node:net'
import { holds } from './claims.ts'
import { hasEnded } from './has-ended.ts'
import type { PodIndex } from './pod-index.ts'
import type { Endpoint, Pod, PortEndpoints, RefusedEndpoints, Service, ServiceEndpoints, ServicePort } from './types.ts'

/**
 * The places behind every Service that has a selector: what the controllers of Kubernetes would work out. Pods that
 * have ended, hold no address, or lack the named port are left out; those that are terminating are not ready.
 *
 * Source: Kubernetes, "Service" (named target ports, publishNotReadyAddresses) and "EndpointSlices" (conditions).
 */
export function endpointsFromSelectors(services: readonly Service[], pods: PodIndex): readonly ServiceEndpoints[] {
  return services
    .filter(({ selector }) => Object.keys(selector).length > 0)
    .map(service => {
      const behind = pods.select(service.namespace, service.selector).filter(isThere)
      const ports = service.ports.map(port => portEndpoints(service, port, behind, pods))
      return freezeEndpoints(service, ports)
    })
}

/** The number of the port that a Service means in this pod; undefined when the pod lacks the named port. */
export function targetPortOf(pod: Pick<Pod, 'ports'>, { targetPort }: ServicePort): number | undefined {
  if (typeof targetPort === 'number') return targetPort
  return pod.ports.find(({ name, protocol }) => name === targetPort && protocol === 'TCP')?.number
}

/** Ports that have no endpoint are left out; endpoints are sorted, so that equal sets are equal lists. */
export function freezeEndpoints(
  service: Pick<Service, 'namespace' | 'name'>,
  ports: readonly PortEndpoints[],
  refused?: RefusedEndpoints
): ServiceEndpoints {
  const sorted = ports
    .filter(({ endpoints }) => endpoints.length > 0)
    .map(({ servicePort, endpoints }) => Object.freeze({ servicePort, endpoints: freezeList(endpoints) }))
    .sort((a, b) => a.servicePort - b.servicePort)
  return Object.freeze({
    namespace: service.namespace,
    service: service.name,
    ports: Object.freeze(sorted),
    ...(refused === undefined ? {} : { refused: Object.freeze(refused) })
  })
}

function isThere(pod: Pod): boolean {
  return !hasEnded(pod) && pod.addresses.length > 0
}

/**
 * Whether an endpoint at this address is this pod: it holds the address, or it uses the network of its node and no pod
 * holds the address.
 */
export function isAt(pod: Pod, address: string, pods: PodIndex): boolean {
  if (pod.hostNetwork !== true) return holds(pod, address)
  return pod.addresses.includes(address) && pods.byAddress(address) === undefined
}

function portEndpoints(
  service: Service,
  servicePort: ServicePort,
  pods: readonly Pod[],
  index: PodIndex
): PortEndpoints {
  const endpoints = pods.flatMap(pod => {
    const port = targetPortOf(pod, servicePort)
    if (port === undefined) return []
    const ready = (pod.ready || service.publishNotReady) && !pod.terminating
    return addressesFor(service, pod)
      .filter(address => isAt(pod, address, index))
      .map(address => ({ address, port, podUid: pod.uid, ready }))
  })
  return { servicePort: servicePort.number, endpoints }
}

/** A Service reaches a pod by the address families that it has itself; without any, by the pod's primary address. */
function addressesFor({ addresses }: Service, pod: Pod): readonly string[] {
  if (addresses.length === 0) return pod.addresses.slice(0, 1)
  const families = new Set(addresses.map(isIP))
  return pod.addresses.filter(address => families.has(isIP(address)))
}

function freezeList(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const sorted = endpoints.map(endpoint => Object.freeze(endpoint)).sort((a, b) => compare(a, b))
  return Object.freeze(sorted)
}

function compare(a: Endpoint, b: Endpoint): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1
  return a.port - b.port
}
