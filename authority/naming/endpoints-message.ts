import { create } from '@bufbuild/protobuf'
import type { Endpoint, Pod, Service, ServiceEndpoints } from '../../shared/inventory/index.ts'
import { type Endpoints, EndpointsSchema, MutualTlsMode } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { type EffectivePolicy, modeOfPort } from './peer-policy.ts'
import type { ProblemList } from './problem.ts'
import { accountOf } from './service-message.ts'

export interface EndpointContext {
  /** The pod of an endpoint; undefined when it is not a pod, or a pod that is not known. */
  readonly podOf: (endpoint: Endpoint) => Pod | undefined
  readonly policyOf: (pod: Pod) => EffectivePolicy
  readonly problems: ProblemList
}

/**
 * The places behind a Service that clients may connect to: those that are ready and may be trusted. A Service that
 * pins its accounts has no others: neither pods of other accounts, nor what is no pod and so has no account.
 */
export function endpointsMessage(
  service: Service,
  endpoints: ServiceEndpoints | undefined,
  context: EndpointContext
): Endpoints {
  const byPort = new Map(endpoints?.ports.map(({ servicePort, endpoints }) => [servicePort, endpoints]))
  return create(EndpointsSchema, {
    ports: service.ports
      .map(({ number }) => ({
        servicePort: number,
        endpoints: (byPort.get(number) ?? [])
          .filter(endpoint => endpoint.ready && isTrusted(service, endpoint, context))
          .map(endpoint => ({
            address: endpoint.address,
            port: endpoint.port,
            mutualTls: acceptsMutualTls(endpoint, context)
          }))
          .sort(compare)
      }))
      .sort((a, b) => a.servicePort - b.servicePort)
  })
}

function isTrusted(service: Service, endpoint: Endpoint, { podOf, problems }: EndpointContext): boolean {
  const name = `Service ${service.namespace}/${service.name}`
  const place = `endpoint ${endpoint.address} port ${endpoint.port}`
  const pod = podOf(endpoint)
  if (endpoint.podUid !== undefined && pod === undefined) {
    // It may have a proxy: no traffic for a moment is better than traffic without mutual TLS.
    problems.add('endpoint-unknown', name, `${place} is left out: its pod ${endpoint.podUid} is not known`)
    return false
  }
  if (service.pinnedAccounts === undefined) return true
  if (pod !== undefined && service.pinnedAccounts.includes(accountOf(pod))) return true
  const who = pod === undefined ? 'it is no pod' : `pod ${pod.namespace}/${pod.name} runs as ${accountOf(pod)}`
  problems.add('endpoint-not-trusted', name, `${place} is left out: ${who}, and the Service pins its accounts`)
  return false
}

function acceptsMutualTls(endpoint: Endpoint, { podOf, policyOf }: EndpointContext): boolean {
  const pod = podOf(endpoint)
  if (pod?.hasProxy !== true || bypassesProxy(pod, endpoint)) return false
  return modeOfPort(policyOf(pod), endpoint.port) !== MutualTlsMode.DISABLE
}

// The interface that has the addresses of a pod's status; container runtimes name it so, whatever the network is.
const OWN_INTERFACE = 'eth0'

/** Whether connections meet the bare application, because capture leaves them alone. */
function bypassesProxy({ bypass, addresses }: Pod, { address, port }: Endpoint): boolean {
  if (bypass === undefined) return false
  return bypass.ports.includes(port) || (bypass.interfaces.includes(OWN_INTERFACE) && addresses.includes(address))
}

function compare(a: { address: string; port: number }, b: { address: string; port: number }): number {
  if (a.address !== b.address) return a.address < b.address ? -1 : 1
  return a.port - b.port
}
