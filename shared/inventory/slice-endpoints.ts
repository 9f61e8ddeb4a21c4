import type { EndpointSlice, SliceEndpoint } from './endpoint-slice.ts'
import { freezeEndpoints } from './endpoints.ts'
import type { PodIndex } from './pod-index.ts'
import type { Endpoint, Service, ServiceEndpoints, ServicePort } from './types.ts'

/**
 * The places behind the Services that the slices belong to. A terminating endpoint is not ready; one that several
 * slices name is kept once, as ready if any says so, and as terminating only if all do.
 *
 * Source: Kubernetes, "EndpointSlices" (duplicate endpoints, conditions).
 */
export function endpointsFromSlices(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  pods: PodIndex
): readonly ServiceEndpoints[] {
  const byService = Map.groupBy(slices, ({ namespace, service }) => `${namespace}/${service}`)
  return services.flatMap(service => {
    const own = byService.get(`${service.namespace}/${service.name}`)
    if (own === undefined) return []
    const ports = service.ports.map(port => ({
      servicePort: port.number,
      endpoints: endpointsOf(port, own, pods)
    }))
    return [freezeEndpoints(service, ports)]
  })
}

function endpointsOf(port: ServicePort, slices: readonly EndpointSlice[], pods: PodIndex): readonly Endpoint[] {
  const places = new Map<string, Endpoint>()
  const leaving = new Map<string, Endpoint>()
  for (const slice of slices)
    for (const { name, number, protocol } of slice.ports) {
      if (name !== port.name || protocol !== 'TCP') continue
      for (const endpoint of slice.endpoints) {
        const uid = uidOf(slice.namespace, endpoint, pods)
        // A pod that is not known yet may have a proxy: better no endpoint for a moment than one without mutual TLS.
        if (endpoint.pod !== undefined && uid === undefined) continue
        const known = endpoint.terminating ? leaving : places
        const key = `${endpoint.address} ${number}`
        const podUid = uid ?? known.get(key)?.podUid
        const ready = !endpoint.terminating && (endpoint.ready || (known.get(key)?.ready ?? false))
        known.set(key, { address: endpoint.address, port: number, ...(podUid === undefined ? {} : { podUid }), ready })
      }
    }
  return [...new Map([...leaving, ...places]).values()]
}

/** A slice written by hand may name its pod without the UID, or give nothing but its address. */
function uidOf(namespace: string, { pod, address }: SliceEndpoint, pods: PodIndex): string | undefined {
  if (pod === undefined) return pods.byAddress(address)?.uid
  return pod.uid ?? pods.byName(namespace, pod.name)?.uid
}
