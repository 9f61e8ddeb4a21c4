import { create } from '@bufbuild/protobuf'
import { type Probe, probePath } from '../../shared/probes/index.ts'
import type { Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { BindConfigSchema } from '../../shared/proto/gen/envoy/config/core/v3/address_pb.js'
import {
  HeaderValueOption_HeaderAppendAction as Append,
  type HeaderValueOption,
  HeaderValueOptionSchema
} from '../../shared/proto/gen/envoy/config/core/v3/base_pb.js'
import {
  type HeaderMatcher,
  HeaderMatcherSchema,
  type Route,
  RouteActionSchema,
  RouteSchema
} from '../../shared/proto/gen/envoy/config/route/v3/route_components_pb.js'
import type { Resource } from '../../shared/xds/index.ts'
import { anyPortOf, inBrackets } from './address.ts'
import { applicationCluster } from './cluster.ts'
import { NEVER } from './duration.ts'
import { deliverySourceTo, familiesOf, wildcardsOf } from './families.ts'
import { ownListener } from './health-listeners.ts'
import { probeHttp } from './http.ts'
import { memoizeKeyed, memoizePair } from './memoize.ts'
import { isReserved, NAMES, PORTS, probeClusterName } from './names.ts'
import { anyHost } from './route.ts'
import { UNVERIFIED_SOCKET } from './tls.ts'

/** By which the kubelet's probes reach the application of one pod. */
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
  probeResources(pod, wildcardsOf(familiesOf(pod.workload)), (name, port, socket) =>
    applicationCluster(name, address, port, ONE_CONNECTION_EACH, {
      ...socket,
      // Capture lets it through: without, the proxy would be led to its own inbound port.
      upstreamBindConfig: create(BindConfigSchema, { sourceAddress: anyPortOf(deliverySourceTo(address)) })
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
  probeResources(pod, pod.workload.addresses, (name, port, socket) =>
    applicationCluster(name, applicationAddress, port, ONE_CONNECTION_EACH, socket)
  )
)

// As the kubelet does: whether the application still accepts connections is part of the question.
const ONE_CONNECTION_EACH = { http: 'same as downstream', requests: 1 } as const

type ClusterTo = (name: string, port: number, socket: { transportSocket?: typeof UNVERIFIED_SOCKET }) => Resource

/** Where a probe leads is never read from it, but for the port: its author may be a tenant. */
function probeResources({ workload, probes }: ProbedPod, addresses: readonly string[], to: ClusterTo): ProbeResources {
  // To a port of its own the proxy would ask itself, for ever if it were this one.
  const usable = probes.filter(({ port }) => !isReserved(port))
  if (usable.length === 0) return { clusters: [], listeners: [] }
  const clusters = new Map(
    usable.map(({ port, scheme }) => {
      const name = probeClusterName(port, scheme)
      return [name, to(name, port, scheme === 'HTTPS' ? { transportSocket: UNVERIFIED_SOCKET } : {})]
    })
  )
  const routes = usable.map(probe => probeRoute(probe, workload.addresses[0] ?? ''))
  const filter = probeHttp(NAMES.listener.probes, anyHost(NAMES.listener.probes, routes))
  return {
    clusters: [...clusters.values()],
    listeners: [ownListener(NAMES.listener.probes, addresses, PORTS.probes, filter)]
  }
}

/**
 * One probe: its very path without a query, so that nobody who finds the port asks the application for more, and in
 * return what the application's author wrote.
 */
function probeRoute({ container, kind, port, path, scheme, host, headers }: Probe, podAddress: string): Route {
  const asked = probePath(container, kind)
  return create(RouteSchema, {
    match: {
      pathSpecifier: { case: 'path', value: asked },
      headers: [exactly(':path', asked), exactly(':method', 'GET')]
    },
    action: {
      case: 'route',
      value: create(RouteActionSchema, {
        clusterSpecifier: { case: 'cluster', value: probeClusterName(port, scheme) },
        prefixRewrite: path,
        hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: host ?? `${inBrackets(podAddress)}:${port}` },
        timeout: NEVER
      })
    },
    // The proxy's own addition; removed first, so that a probe may say something else.
    requestHeadersToRemove: ['x-forwarded-proto', ...headers.filter(isOmission).map(([name]) => name)],
    requestHeadersToAdd: additions(headers.filter(header => !isOmission(header))),
    // The kubelet follows redirects of the pod, and would now ask the proxy for another path or the application in
    // plaintext. Without a target it takes a redirect for a success (pkg/probe/http, DoHTTPProbe).
    responseHeadersToRemove: ['location']
  })
}

const exactly = (name: string, value: string): HeaderMatcher =>
  create(HeaderMatcherSchema, {
    name,
    headerMatchSpecifier: { case: 'stringMatch', value: { matchPattern: { case: 'exact', value } } }
  })

type Header = Probe['headers'][number]

// By an empty value, a probe says that these two, which the kubelet adds by itself, are not sent (pkg/probe/http).
const isOmission = ([name, value]: Header): boolean => value === '' && /^(accept|user-agent)$/i.test(name)

/** The first of a name takes the place of what the kubelet sent, each further one is another line. */
function additions(headers: readonly Header[]): HeaderValueOption[] {
  const seen = new Set<string>()
  return headers.map(([key, value]) => {
    const first = !seen.has(key.toLowerCase())
    seen.add(key.toLowerCase())
    return create(HeaderValueOptionSchema, {
      // A percent sign would be read as a command (Envoy, substitution formatter).
      header: { key, value: value.replaceAll('%', '%%') },
      appendAction: first ? Append.OVERWRITE_IF_EXISTS_OR_ADD : Append.APPEND_IF_EXISTS_OR_ADD,
      keepEmptyValue: true
    })
  })
}
