import type { EndpointSlice, SliceEndpoint } from './endpoint-slice.ts'
import { freezeEndpoints, isAt } from './endpoints.ts'
import { hasEnded } from './has-ended.ts'
import type { PodIndex } from './pod-index.ts'
import type { Endpoint, RefusedEndpoint, RefusedEndpoints, Service, ServiceEndpoints, ServicePort } from './types.ts'

/** How many refused endpoints of one Service are described. */
const MOST_DESCRIBED = 10

/** An endpoint of a slice, and which pod it is. */
interface JudgedEndpoint extends SliceEndpoint {
  /** Absent: no pod holds the address. */
  readonly podUid?: string
}

interface JudgedSlice {
  readonly ports: EndpointSlice['ports']
  readonly endpoints: readonly JudgedEndpoint[]
}

/**
 * The places behind the Services that the slices belong to. A terminating endpoint is not ready; one that several
 * slices name is kept once, as ready if any says so, and as terminating only if all do.
 *
 * Anyone who can write EndpointSlices in a namespace decides what they say. So an endpoint is a pod only where the
 * slice's namespace, the UID or name, and the address agree with the pod; otherwise it is left out. An endpoint that
 * names no pod is the pod that holds its address.
 *
 * Source: Kubernetes, "EndpointSlices" (duplicate endpoints, conditions) and "Services without selectors" (endpoints
 * cannot be the addresses of other Services).
 */
export function endpointsFromSlices(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  pods: PodIndex
): readonly ServiceEndpoints[] {
  const byService = Map.groupBy(slices, ({ namespace, service }) => `${namespace}/${service}`)
  const virtual = new Set(services.flatMap(({ addresses }) => addresses))
  return services.flatMap(service => {
    const own = byService.get(`${service.namespace}/${service.name}`)
    if (own === undefined) return []
    const refused = new Map<string, RefusedEndpoint>()
    const judged = own.map(slice => judgeSlice(slice, pods, virtual, refused))
    const ports = service.ports.map(port => ({
      servicePort: port.number,
      endpoints: endpointsOf(port, judged)
    }))
    return [freezeEndpoints(service, ports, described(refused))]
  })
}

function judgeSlice(
  { namespace, ports, endpoints }: EndpointSlice,
  pods: PodIndex,
  virtual: ReadonlySet<string>,
  refused: Map<string, RefusedEndpoint>
): JudgedSlice {
  const kept = endpoints.flatMap((endpoint): JudgedEndpoint[] => {
    const verdict = virtual.has(endpoint.address) ? VIRTUAL : judge(namespace, endpoint, pods)
    if (!('kind' in verdict)) return [{ ...endpoint, ...verdict }]
    // Controllers name pods that are gone for a moment, as not ready.
    const isExpected = verdict.transient === true && (!endpoint.ready || endpoint.terminating)
    const { kind, because } = verdict
    const { address } = endpoint
    if (!isExpected) refused.set(`${address} ${because}`, Object.freeze({ address, kind, because }))
    return []
  })
  return { ports, endpoints: kept }
}

interface Refusal extends Pick<RefusedEndpoint, 'kind' | 'because'> {
  /** It happens for a moment in every cluster. */
  readonly transient?: boolean
}

const VIRTUAL: Refusal = { kind: 'contradictory', because: 'it is the virtual address of a Service' }

/** Which pod an endpoint is, or why it is left out. */
function judge(
  namespace: string,
  { address, pod: named }: SliceEndpoint,
  pods: PodIndex
): { readonly podUid?: string } | Refusal {
  if (named === undefined) {
    const holder = pods.byAddress(address)
    return holder === undefined ? {} : { podUid: holder.uid }
  }
  const contradictory = (because: string): Refusal => ({ kind: 'contradictory', because })
  const title = named.name === undefined ? `the pod with UID ${named.uid}` : `pod ${namespace}/${named.name}`
  if (named.namespace !== undefined && named.namespace !== namespace)
    return contradictory(`its targetRef names a pod of namespace ${named.namespace}`)
  if (pods.isMirror(namespace, named))
    return { kind: 'mirror-pod', because: `${title} is a mirror pod: nobody vouches for its labels and its namespace` }
  const pod = named.uid === undefined ? pods.byName(namespace, named.name ?? '') : pods.byUid(named.uid)
  if (pod === undefined) {
    const identified = named.name === undefined || named.uid === undefined ? title : `${title} (UID ${named.uid})`
    return { kind: 'unknown-pod', because: `${identified} is not known`, transient: true }
  }
  if (pod.namespace !== namespace)
    return contradictory('the UID of its targetRef is that of a pod of another namespace')
  if (named.name !== undefined && pod.name !== named.name)
    return contradictory(`the UID of its targetRef is that of pod ${pod.namespace}/${pod.name}`)
  if (hasEnded(pod)) return { ...contradictory(`${title} has ended`), transient: true }
  if (!isAt(pod, address, pods)) return contradictory(`${title} does not hold this address`)
  return { podUid: pod.uid }
}

/** The first refused endpoints, sorted, so that the same ones are always described. */
function described(refused: ReadonlyMap<string, RefusedEndpoint>): RefusedEndpoints | undefined {
  if (refused.size === 0) return undefined
  const sorted = [...refused].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint)
  return { first: Object.freeze(sorted.slice(0, MOST_DESCRIBED)), count: sorted.length }
}

function endpointsOf(port: ServicePort, slices: readonly JudgedSlice[]): readonly Endpoint[] {
  const places = new Map<string, Endpoint>()
  const leaving = new Map<string, Endpoint>()
  for (const slice of slices)
    for (const { name, number, protocol } of slice.ports) {
      if (name !== port.name || protocol !== 'TCP') continue
      for (const { address, terminating, podUid, ...endpoint } of slice.endpoints) {
        const known = terminating ? leaving : places
        const key = `${address} ${number}`
        const ready = !terminating && (endpoint.ready || (known.get(key)?.ready ?? false))
        known.set(key, { address, port: number, ...(podUid === undefined ? {} : { podUid }), ready })
      }
    }
  return [...new Map([...leaving, ...places]).values()]
}
