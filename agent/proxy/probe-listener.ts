import type { Probe } from '../../shared/probes/index.ts'
import type { Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { Resource } from '../../shared/xds/index.ts'
import { type ApplicationParts, type ApplicationPool, applicationCluster } from './cluster.ts'
import { deliveryBindTo, familiesOf, wildcardsOf } from './families.ts'
import { ownListener } from './health-listeners.ts'
import { probeHttp } from './http.ts'
import { memoizeKeyed, memoizePair } from './memoize.ts'
import { isReserved, NAMES, PORTS, probeClusterName } from './names.ts'
import { probeRoute } from './probe-route.ts'
import { PROBE_SCRIPTS } from './probe-script.ts'
import { CONNECTED_ROUTE, CONNECTING, CONNECTING_FILTERS } from './probe-tcp.ts'
import { anyHost } from './route.ts'
import { UNVERIFIED_SOCKET } from './tls.ts'

/** By which the kubelet's probes and hooks reach the application of one pod. */
interface ProbeResources {
  readonly clusters: readonly Resource[]
  readonly listeners: readonly Resource[]
}

interface ProbedPod {
  readonly workload: Workload
  readonly probes: readonly Probe[]
}

const probedPod = memoizePair((workload: Workload, probes: readonly Probe[]): ProbedPod => ({ workload, probes }))

/**
 * The application is asked at the pod's own address, as the kubelet would have, so that one which listens there alone
 * answers, and one that listens on localhost alone answers no more than before.
 */
export const redirectProbeResources = (workload: Workload, probes: readonly Probe[]): ProbeResources =>
  redirected(probedPod(workload, probes), workload.addresses[0] ?? '')

const redirected = memoizeKeyed((pod: ProbedPod, address: string) =>
  probeResources(pod, wildcardsOf(familiesOf(pod.workload)), (probe, { pool, parts }) =>
    applicationCluster(probeClusterName(probe), address, probe.port, pool, {
      ...parts,
      // Capture lets it through: without, the proxy would be led to its own inbound port.
      upstreamBindConfig: deliveryBindTo(address)
    })
  )
)

/** The application is asked where it listens beside the proxy. */
export const explicitProbeResources = (
  workload: Workload,
  probes: readonly Probe[],
  applicationAddress: string
): ProbeResources => explicitly(probedPod(workload, probes), applicationAddress)

const explicitly = memoizeKeyed((pod: ProbedPod, applicationAddress: string) =>
  probeResources(pod, pod.workload.addresses, (probe, { pool, parts }) =>
    applicationCluster(probeClusterName(probe), applicationAddress, probe.port, pool, parts)
  )
)

/** How an application is asked: whatever its address is. */
interface Asking {
  readonly pool: ApplicationPool
  readonly parts: ApplicationParts
}

function askingOf(probe: Probe): Asking {
  // As the kubelet does: whether the application still accepts connections is part of the question.
  const pool = { http: 'same as downstream', requests: 1 } as const
  switch (probe.protocol) {
    case 'http':
      return { pool, parts: probe.scheme === 'HTTPS' ? { transportSocket: UNVERIFIED_SOCKET } : {} }
    case 'tcp':
      return { pool: { ...pool, filters: CONNECTING_FILTERS }, parts: CONNECTING }
    case 'grpc':
      return { pool: { ...pool, http: 'http2' }, parts: {} }
  }
}

type ClusterFor = (probe: Probe, asking: Asking) => Resource

/** Where a probe leads is never read from it, but for the port: its author may be a tenant. */
function probeResources({ workload, probes }: ProbedPod, addresses: readonly string[], to: ClusterFor): ProbeResources {
  // To a port of its own the proxy would ask itself, for ever if it were this one.
  const usable = probes.filter(({ port }) => !isReserved(port))
  if (usable.length === 0) return { clusters: [], listeners: [] }
  const clusters = new Map(usable.map(probe => [probeClusterName(probe), to(probe, askingOf(probe))]))
  const speaks = (protocol: Probe['protocol']): boolean => usable.some(probe => probe.protocol === protocol)
  const routes = usable.map(probe => probeRoute(probe, workload.addresses[0] ?? ''))
  // Only what is needed: a script takes memory in every worker of the proxy.
  const filter = probeHttp(
    NAMES.listener.probes,
    anyHost(NAMES.listener.probes, speaks('tcp') ? [...routes, CONNECTED_ROUTE] : routes),
    speaks('tcp') || speaks('grpc') ? [PROBE_SCRIPTS] : []
  )
  return {
    clusters: [...clusters.values()],
    listeners: [ownListener(NAMES.listener.probes, addresses, PORTS.probes, filter)]
  }
}
