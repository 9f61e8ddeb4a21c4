// The configuration of a real Envoy that tells who reached it where: as the proxy of a pod, reduced to capture.

import { DELIVERY_SOURCE } from '../../shared/bootstrap/index.ts'

const HCM = 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'
const ROUTER = 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router'
const ORIGINAL_DESTINATION = 'type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst'

const header = (key: string, value: string) => ({
  header: { key, value },
  append_action: 'OVERWRITE_IF_EXISTS_OR_ADD'
})

/** Answers requests itself; those for /deliver it passes on to where they were going, from the address of deliveries. */
function listener(port: number, families: readonly string[]): object {
  const [first = '', ...others] = families
  const address = (host: string) => ({ socket_address: { address: host, port_value: port } })
  return {
    name: String(port),
    address: address(first),
    additional_addresses: others.map(host => ({ address: address(host) })),
    listener_filters: [{ name: 'original', typed_config: { '@type': ORIGINAL_DESTINATION } }],
    filter_chains: [
      {
        filters: [
          {
            name: 'http',
            typed_config: {
              '@type': HCM,
              stat_prefix: String(port),
              http_filters: [{ name: 'router', typed_config: { '@type': ROUTER } }],
              route_config: {
                virtual_hosts: [
                  {
                    name: 'all',
                    domains: ['*'],
                    routes: [
                      { match: { path: '/deliver' }, route: { cluster: 'delivery' } },
                      {
                        match: { prefix: '/' },
                        direct_response: { status: 200 },
                        response_headers_to_add: [
                          header('x-by', String(port)),
                          header('x-destination', '%DOWNSTREAM_LOCAL_ADDRESS%')
                        ]
                      }
                    ]
                  }
                ]
              }
            }
          }
        ]
      }
    ]
  }
}

/** From which addresses it delivers. */
export type DeliverySource = Readonly<Record<'ipv4' | 'ipv6', string>>

export function proxyConfiguration(ipv6: boolean, source: DeliverySource = DELIVERY_SOURCE): object {
  const families = ipv6 ? ['0.0.0.0', '::'] : ['0.0.0.0']
  const anyPortOf = (address: string) => ({ address, port_value: 0 })
  return {
    static_resources: {
      listeners: [15001, 15006, 15020, 15021, 15090].map(port => listener(port, families)),
      clusters: [
        {
          name: 'delivery',
          type: 'ORIGINAL_DST',
          lb_policy: 'CLUSTER_PROVIDED',
          connect_timeout: '5s',
          upstream_bind_config: {
            source_address: anyPortOf(source.ipv4),
            ...(ipv6 ? { extra_source_addresses: [{ address: anyPortOf(source.ipv6) }] } : {}),
            freebind: true
          }
        }
      ]
    }
  }
}
