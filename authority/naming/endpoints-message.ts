import { create } from '@bufbuild/protobuf'
import type { TrustDomain } from '../../shared/identity/index.ts'
import {
  type Endpoint,
  hasEnded,
  holds,
  type Pod,
  type Service,
  type ServiceEndpoints
} from '../../shared/inventory/index.ts'
import { type Endpoints, EndpointsSchema, MutualTlsMode } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { bypassesProxy } from './bypass.ts'
import { reportRefusedEndpoints } from './claim-problems.ts'
import { type EffectivePolicy, modeOfPort } from './peer-policy.ts'
import type { NamingProblem, ProblemList } from './problem.ts'
import { accountOf, spiffeIdOf } from './service-message.ts'

export interface EndpointContext {
  /** The pod of an endpoint; undefined when it is not a pod, or a pod that is not known. */
  readonly podOf: (endpoint: Endpoint) => Pod | undefined
  readonly policyOf: (pod: Pod) => EffectivePolicy
  readonly trustDomain: TrustDomain
  readonly problems: ProblemList
}

/**
 * The places behind a Service that clients may connect to: those that may be trusted and are ready, and apart from
 * them those that are not, which clients may call by their own address. A Service that pins its accounts has no others:
 * neither pods of other accounts, nor what is no pod and so has no account. Where it is headless, those of them that are
 * pods of its namespace are named, for clients to keep away.
 *
 * About the address of an endpoint itself a Service says something only where a pod of its own namespace holds it: the
 * identity of that pod.
 */
export function endpointsMessage(
  service: Service,
  endpoints: ServiceEndpoints | undefined,
  context: EndpointContext
): Endpoints {
  reportRefusedEndpoints(service, endpoints, context.problems)
  const byPort = new Map(endpoints?.ports.map(({ servicePort, endpoints }) => [servicePort, endpoints]))
  return create(EndpointsSchema, {
    ports: service.ports
      .map(({ number }) => {
        const all = byPort.get(number) ?? []
        return {
          servicePort: number,
          endpoints: places(
            service,
            all.filter(endpoint => endpoint.ready && isTrusted(service, endpoint, context)),
            context
          ),
          unready: places(
            service,
            all.filter(endpoint => !endpoint.ready && isCallable(service, endpoint, context)),
            context
          ),
          untrusted: places(
            service,
            all.filter(endpoint => isForbidden(service, endpoint, context)),
            context
          )
        }
      })
      .sort((a, b) => a.servicePort - b.servicePort)
  })
}

const places = (service: Service, endpoints: readonly Endpoint[], context: EndpointContext) =>
  endpoints
    .map(endpoint => {
      const { address, port } = endpoint
      const pod = context.podOf(endpoint)
      if (pod === undefined || !acceptsMutualTls(endpoint, context)) return { address, port, mutualTls: false }
      if (pod.namespace !== service.namespace) return { address, port, mutualTls: true, foreign: true }
      return { address, port, mutualTls: true, identity: spiffeIdOf(accountOf(pod), context.trustDomain) }
    })
    .sort(compare)

/**
 * Whether clients are told of an endpoint that is not ready. Of one without mutual TLS there is nothing to tell:
 * connections to its address are passed on as they are. And the address of a pod that has ended may be another's. Of a
 * pod of another namespace the Service has nothing to tell.
 */
function isCallable(service: Service, endpoint: Endpoint, context: EndpointContext): boolean {
  const pod = context.podOf(endpoint)
  if (pod === undefined || pod.namespace !== service.namespace) return false
  if (hasEnded(pod) || objectionTo(service, endpoint, context) !== undefined) return false
  return acceptsMutualTls(endpoint, context)
}

/**
 * Whether clients are told to keep away from an endpoint. Those of a Service with an address of its own come to no
 * endpoint but by the Service; of a headless one they are told all addresses by DNS, which knows no accounts. A Service
 * forbids calls to pods of its own namespace only, at addresses that they hold: everything else is not its author's.
 */
function isForbidden(service: Service, endpoint: Endpoint, context: EndpointContext): boolean {
  const pod = context.podOf(endpoint)
  if (!service.headless || pod === undefined) return false
  if (pod.namespace !== service.namespace || !holds(pod, endpoint.address)) return false
  return objectionTo(service, endpoint, context)?.kind === 'endpoint-not-trusted'
}

function isTrusted(service: Service, endpoint: Endpoint, context: EndpointContext): boolean {
  const subject = `Service ${service.namespace}/${service.name}`
  const place = `endpoint ${endpoint.address} port ${endpoint.port}`
  const objection = objectionTo(service, endpoint, context)
  if (objection !== undefined) {
    context.problems.add(objection.kind, subject, `${place} is left out: ${objection.because}`)
    return false
  }
  const pod = context.podOf(endpoint)
  if (pod !== undefined && pod.namespace !== service.namespace)
    context.problems.add(
      'endpoint-across-namespaces',
      subject,
      `${place} is pod ${pod.namespace}/${pod.name} of another namespace: only clients that call this Service are led there`
    )
  return true
}

/** Why an endpoint may not stand behind a Service; undefined when it may. */
function objectionTo(
  service: Service,
  endpoint: Endpoint,
  { podOf }: EndpointContext
): { readonly kind: NamingProblem['kind']; readonly because: string } | undefined {
  const pod = podOf(endpoint)
  if (endpoint.podUid !== undefined && pod === undefined)
    // It may have a proxy: no traffic for a moment is better than traffic without mutual TLS.
    return { kind: 'endpoint-unknown', because: `its pod ${endpoint.podUid} is not known` }
  if (service.pinnedAccounts === undefined) return undefined
  if (pod !== undefined && service.pinnedAccounts.includes(accountOf(pod))) return undefined
  const who = pod === undefined ? 'it is no pod' : `pod ${pod.namespace}/${pod.name} runs as ${accountOf(pod)}`
  return { kind: 'endpoint-not-trusted', because: `${who}, and the Service pins its accounts` }
}

function acceptsMutualTls(endpoint: Endpoint, { podOf, policyOf }: EndpointContext): boolean {
  const pod = podOf(endpoint)
  if (pod?.hasProxy !== true || !holds(pod, endpoint.address) || bypassesProxy(pod, endpoint)) return false
  return modeOfPort(policyOf(pod), endpoint.port) !== MutualTlsMode.DISABLE
}

function compare(a: { address: string; port: number }, b: { address: string; port: number }): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1
  return a.port - b.port
}
