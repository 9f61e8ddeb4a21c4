import { create } from '@bufbuild/protobuf'
import { type Endpoint, hasEnded, type Pod, type Service, type ServiceEndpoints } from '../../shared/inventory/index.ts'
import { type Endpoints, EndpointsSchema, MutualTlsMode } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { bypassesProxy } from './bypass.ts'
import { type EffectivePolicy, modeOfPort } from './peer-policy.ts'
import type { NamingProblem, ProblemList } from './problem.ts'
import { accountOf } from './service-message.ts'

export interface EndpointContext {
  /** The pod of an endpoint; undefined when it is not a pod, or a pod that is not known. */
  readonly podOf: (endpoint: Endpoint) => Pod | undefined
  readonly policyOf: (pod: Pod) => EffectivePolicy
  readonly problems: ProblemList
}

/**
 * The places behind a Service that clients may connect to: those that may be trusted and are ready, and apart from
 * them those that are not, which clients may call by their own address. A Service that pins its accounts has no others:
 * neither pods of other accounts, nor what is no pod and so has no account. Where it is headless they are named, for
 * clients to keep away.
 */
export function endpointsMessage(
  service: Service,
  endpoints: ServiceEndpoints | undefined,
  context: EndpointContext
): Endpoints {
  const byPort = new Map(endpoints?.ports.map(({ servicePort, endpoints }) => [servicePort, endpoints]))
  return create(EndpointsSchema, {
    ports: service.ports
      .map(({ number }) => {
        const all = byPort.get(number) ?? []
        return {
          servicePort: number,
          endpoints: places(
            all.filter(endpoint => endpoint.ready && isTrusted(service, endpoint, context)),
            context
          ),
          unready: places(
            all.filter(endpoint => !endpoint.ready && isCallable(service, endpoint, context)),
            context
          ),
          untrusted: places(
            all.filter(endpoint => isForbidden(service, endpoint, context)),
            context
          )
        }
      })
      .sort((a, b) => a.servicePort - b.servicePort)
  })
}

const places = (endpoints: readonly Endpoint[], context: EndpointContext) =>
  endpoints
    .map(endpoint => ({
      address: endpoint.address,
      port: endpoint.port,
      mutualTls: acceptsMutualTls(endpoint, context)
    }))
    .sort(compare)

/**
 * Whether clients are told of an endpoint that is not ready. Of one without mutual TLS there is nothing to tell:
 * connections to its address are passed on as they are. And the address of a pod that has ended may be another's.
 */
function isCallable(service: Service, endpoint: Endpoint, context: EndpointContext): boolean {
  const pod = context.podOf(endpoint)
  if (pod === undefined || hasEnded(pod) || objectionTo(service, endpoint, context) !== undefined) return false
  return acceptsMutualTls(endpoint, context)
}

/**
 * Whether clients are told to keep away from an endpoint. Those of a Service with an address of its own come to no
 * endpoint but by the Service; of a headless one they are told all addresses by DNS, which knows no accounts.
 */
function isForbidden(service: Service, endpoint: Endpoint, context: EndpointContext): boolean {
  const pod = context.podOf(endpoint)
  if (!service.headless || (pod !== undefined && hasEnded(pod))) return false
  return objectionTo(service, endpoint, context)?.kind === 'endpoint-not-trusted'
}

function isTrusted(service: Service, endpoint: Endpoint, context: EndpointContext): boolean {
  const objection = objectionTo(service, endpoint, context)
  if (objection === undefined) return true
  const place = `endpoint ${endpoint.address} port ${endpoint.port}`
  const { kind, because } = objection
  context.problems.add(kind, `Service ${service.namespace}/${service.name}`, `${place} is left out: ${because}`)
  return false
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
  if (pod?.hasProxy !== true || bypassesProxy(pod, endpoint)) return false
  return modeOfPort(policyOf(pod), endpoint.port) !== MutualTlsMode.DISABLE
}

function compare(a: { address: string; port: number }, b: { address: string; port: number }): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1
  return a.port - b.port
}
