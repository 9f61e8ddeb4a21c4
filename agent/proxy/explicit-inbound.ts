import type { Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { HttpFilter } from '../../shared/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import type { Resource } from '../../shared/xds/index.ts'
import { applicationCluster, httpVersionOf } from './cluster.ts'
import { declarationNote } from './declaration-note.ts'
import { NO_LOGIN } from './end-user-filters.ts'
import { inboundChains, modeOf } from './inbound-chains.ts'
import { HTTP_INSPECTOR, listener, TLS_INSPECTOR } from './listener.ts'
import { memoizeKeyed, memoizePair } from './memoize.ts'
import { inboundClusterName, inboundListenerName } from './names.ts'
import type { MinimumTls } from './tls.ts'
import { workloadPorts } from './workload-ports.ts'

/** One listener on the pod's own addresses for each port that it declares; others are not open. */
export const explicitInboundListeners = (
  workload: Workload,
  minimumTls: MinimumTls,
  login: HttpFilter = NO_LOGIN
): readonly Resource[] => madeFrom(withLogin(workload, login), minimumTls)

const withLogin = memoizePair((workload: Workload, login: HttpFilter) => ({ workload, login }))

const madeFrom: (pod: ReturnType<typeof withLogin>, minimumTls: MinimumTls) => readonly Resource[] = memoizeKeyed(
  ({ workload, login }, minimumTls) =>
    workloadPorts(workload).map(port => {
      const { number, protocol, traffic } = port
      return listener(inboundListenerName(number), 'inbound', workload.addresses, number, {
        listenerFilters: [TLS_INSPECTOR, HTTP_INSPECTOR],
        filterChains: [
          declarationNote([port]),
          ...inboundChains({
            name: String(number),
            protocol,
            traffic,
            mode: modeOf(workload, number),
            minimumTls,
            login,
            cluster: inboundClusterName(number)
          })
        ]
      })
    })
)

/** To the application, at the address where it listens beside the proxy. */
export const explicitInboundClusters: (workload: Workload, applicationAddress: string) => readonly Resource[] =
  memoizeKeyed((workload, applicationAddress) =>
    workloadPorts(workload).map(({ number, protocol }) =>
      applicationCluster(inboundClusterName(number), applicationAddress, number, { http: httpVersionOf(protocol) })
    )
  )
