import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@bufbuild/protobuf'
import { Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { resourceJson } from '../../test/envoy/index.ts'
import { newEndpoints, newService } from './fixtures.test-support.ts'
import { NO_ENDPOINTS, serviceClusters, serviceEndpoints } from './service-cluster.ts'

const service = newService({
  ports: [
    { number: 80, name: 'http', protocol: Protocol.HTTP },
    { number: 50051, name: 'grpc', protocol: Protocol.HTTP2 },
    { number: 5432, name: 'sql', protocol: Protocol.TCP }
  ]
})

const at = (value: unknown, ...path: readonly (string | number)[]): unknown =>
  path.reduce((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], value)

describe('the clusters of a Service', () => {
  const clusters = serviceClusters(service).map(resourceJson)
  const tlsOf = (cluster: JsonObject): unknown => at(cluster, 'transportSocket', 'typedConfig')

  it('are one for each port, named by it', () => {
    assert.deepEqual(
      clusters.map(cluster => cluster['name']),
      ['outbound/shop/orders/80', 'outbound/shop/orders/50051', 'outbound/shop/orders/5432']
    )
  })

  it('speak mutual TLS unless an endpoint is marked', () => {
    for (const cluster of clusters) {
      assert.equal(at(cluster, 'transportSocket', 'name'), 'envoy.transport_sockets.tls')
      const matches = at(cluster, 'transportSocketMatches') as JsonObject[]
      assert.deepEqual(
        matches.map(match => [match['match'], at(match, 'transportSocket', 'name')]),
        [[{ countersign: 'plaintext' }, 'envoy.transport_sockets.raw_buffer']]
      )
    }
  })

  it('verify the server against the secret of the Service, and show the certificate of the pod', () => {
    for (const cluster of clusters) {
      const common = at(tlsOf(cluster), 'commonTlsContext')
      assert.equal(at(common, 'validationContextSdsSecretConfig', 'name'), 'peers/shop/orders')
      assert.equal(at(common, 'tlsCertificateSdsSecretConfigs', 0, 'name'), 'default')
      assert.equal(at(common, 'tlsParams', 'tlsMinimumProtocolVersion'), 'TLSv1_3')
      assert.equal(at(tlsOf(cluster), 'maxSessionKeys'), 0)
    }
  })

  it('mark the connection by its server name, and leave ALPN to the connection pool', () => {
    assert.deepEqual(
      clusters.map(cluster => at(tlsOf(cluster), 'sni')),
      [80, 50051, 5432].map(port => `${port}.orders.shop.countersign.internal`)
    )
    for (const cluster of clusters) assert.equal(at(tlsOf(cluster), 'commonTlsContext', 'alpnProtocols'), undefined)
  })

  it('never have a server name that is longer than DNS allows', () => {
    const longest = newService({
      namespace: 'n'.repeat(63),
      name: 's'.repeat(63),
      ports: [{ number: 65_535, name: 'x', protocol: Protocol.TCP }]
    })
    const [cluster] = serviceClusters(longest).map(resourceJson)
    assert.ok(String(at(tlsOf(cluster ?? {}), 'sni')).length <= 253)
  })

  it('speak HTTP/2 where that is declared, and otherwise what the client speaks', () => {
    const options = clusters.map(cluster =>
      at(cluster, 'typedExtensionProtocolOptions', 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions')
    )
    assert.deepEqual(
      options.map(option => at(option, 'explicitHttpConfig') !== undefined),
      [false, true, false]
    )
    assert.deepEqual(
      options.map(option => at(option, 'useDownstreamProtocolConfig') !== undefined),
      [true, false, true]
    )
  })

  it('are one for a port number that is there twice, once for TCP and once for UDP', () => {
    const twice = newService({
      ports: [
        { number: 53, name: 'dns-tcp', protocol: Protocol.TCP },
        { number: 53, name: 'dns', protocol: Protocol.UNSPECIFIED }
      ]
    })
    assert.equal(serviceClusters(twice).length, 1)
    assert.equal(serviceEndpoints(twice, NO_ENDPOINTS).length, 1)
  })
})

describe('the endpoints of a Service', () => {
  const endpoints = newEndpoints([
    {
      servicePort: 80,
      endpoints: [
        { address: '10.1.0.7', port: 8080, mutualTls: true },
        { address: 'fd00::8', port: 8080, mutualTls: false }
      ]
    },
    { servicePort: 9999, endpoints: [{ address: '10.1.0.9', port: 9, mutualTls: true }] }
  ])

  it('are marked where they have no proxy, and only there', () => {
    const [assignment] = serviceEndpoints(service, endpoints).map(resourceJson)
    const found = at(assignment, 'endpoints', 0, 'lbEndpoints') as JsonObject[]
    assert.deepEqual(
      found.map(endpoint => [at(endpoint, 'endpoint', 'address', 'socketAddress', 'address'), endpoint['metadata']]),
      [
        ['10.1.0.7', undefined],
        ['fd00::8', { filterMetadata: { 'envoy.transport_socket_match': { countersign: 'plaintext' } } }]
      ]
    )
  })

  it('are none that is not ready, with mutual TLS or without', () => {
    const unready = [true, false].map(mutualTls => ({ address: `10.1.0.${mutualTls ? 1 : 2}`, port: 8080, mutualTls }))
    const ready = [{ address: '10.1.0.7', port: 8080, mutualTls: true }]
    const assigned = (ports: Parameters<typeof newEndpoints>[0]) => serviceEndpoints(service, newEndpoints(ports))[0]
    assert.deepEqual(
      assigned([{ servicePort: 80, endpoints: ready, unready }])?.value,
      assigned([{ servicePort: 80, endpoints: ready }])?.value
    )
    assert.deepEqual(assigned([{ servicePort: 80, unready }])?.value, assigned([])?.value)
  })

  it('are there for every port, be it without one: a proxy waits for an answer', () => {
    assert.deepEqual(
      serviceEndpoints(service, endpoints).map(({ name }) => name),
      serviceClusters(service).map(({ name }) => name)
    )
    for (const assignment of serviceEndpoints(service, NO_ENDPOINTS).map(resourceJson))
      assert.deepEqual(at(assignment, 'endpoints', 0), {})
  })
})
