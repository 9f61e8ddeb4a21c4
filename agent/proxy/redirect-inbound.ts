import { Protocol, type Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { HttpFilter } from '../../shared/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { type Resource, type ResourceMap, resourceMap } from '../../shared/xds/index.ts'
import { originalDestinationCluster } from './cluster.ts'
import { declarationNote } from './declaration-note.ts'
import { NO_LOGIN } from './end-user-filters.ts'
import { deliveryBindOf, type Families, familiesOf, wildcardsOf } from './families.ts'
import { inboundChains, modeOf } from './inbound-chains.ts'
import { HTTP_INSPECTOR, listener, ORIGINAL_DESTINATION, TLS_INSPECTOR } from './listener.ts'
import { memoizeKeyed, memoizePair } from './memoize.ts'
import { NAMES, PORTS } from './names.ts'
import { blackHole } from './redirect-outbound.ts'
import type { MinimumTls } from './tls.ts'
import { redirectedPorts, undeclaredTraffic } from './workload-ports.ts'

/**
 * The listener of all incoming connections. Ports of which nothing is known are under the mode of the workload:
 * strict is strict on every port.
 */
export const redirectInboundListener = (
  workload: Workload,
  minimumTls: MinimumTls,
  login: HttpFilter = NO_LOGIN
): Resource => madeFrom(withLogin(workload, login), minimumTls)

const withLogin = memoizePair((workload: Workload, login: HttpFilter) => ({ workload, login }))

const madeFrom: (pod: ReturnType<typeof withLogin>, minimumTls: MinimumTls) => Resource = memoizeKeyed(
  ({ workload, login }, minimumTls) =>
    listener(NAMES.listener.inbound, 'inbound', wildcardsOf(familiesOf(workload)), PORTS.inbound, {
      listenerFilters: [ORIGINAL_DESTINATION, TLS_INSPECTOR, HTTP_INSPECTOR],
      filterChains: [
        declarationNote(redirectedPorts(workload)),
        // Recognised as HTTP, it would be passed on to the outbound listener, and be answered with what became of it.
        blackHole(PORTS.outbound, 'black-hole-outbound'),
        ...redirectedPorts(workload).flatMap(({ number, protocol, traffic }) =>
          inboundChains({
            name: String(number),
            protocol,
            traffic,
            mode: modeOf(workload, number),
            minimumTls,
            login,
            cluster: protocol === Protocol.HTTP2 ? NAMES.cluster.inboundHttp2 : NAMES.cluster.inbound,
            destinationPort: number
          })
        ),
        ...inboundChains({
          name: 'undeclared',
          protocol: Protocol.UNSPECIFIED,
          traffic: undeclaredTraffic(workload),
          mode: workload.mode,
          minimumTls,
          login,
          cluster: NAMES.cluster.inbound
        })
      ]
    })
)

/**
 * To the application, at the very address that the client called (so one that listens on the pod's address alone
 * works, and one that listens on localhost alone stays private), from an address that capture lets through.
 */
export const redirectInboundClusters: Readonly<Record<Families, ResourceMap>> = {
  ipv4: deliveryClusters('ipv4'),
  ipv6: deliveryClusters('ipv6'),
  dual: deliveryClusters('dual')
}

function deliveryClusters(families: Families): ResourceMap {
  const bind = deliveryBindOf(families)
  return resourceMap([
    originalDestinationCluster(NAMES.cluster.inbound, 'same as downstream', bind),
    originalDestinationCluster(NAMES.cluster.inboundHttp2, 'http2', bind)
  ])
}
