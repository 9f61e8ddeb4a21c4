import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@bufbuild/protobuf'
import { Protocol, type Service } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { resourceJson } from '../../test/envoy/index.ts'
import { directClusters, directSecrets } from './direct-cluster.ts'
import { newRoot, newService, newState } from './fixtures.test-support.ts'
import { serviceClusters } from './service-cluster.ts'

const ORDERS = 'spiffe://mesh.test/ns/shop/sa/orders'
const GUEST = 'spiffe://mesh.test/ns/shop/sa/guest'
const ports = [
  { number: 80, name: 'http', protocol: Protocol.HTTP },
  { number: 50051, name: 'grpc', protocol: Protocol.HTTP2 },
  { number: 5432, name: 'sql', protocol: Protocol.TCP },
  { number: 8443, name: 'https', protocol: Protocol.TLS },
  { number: 81, name: 'any', protocol: Protocol.UNSPECIFIED }
]

const at = (value: unknown, ...path: readonly (string | number)[]): unknown =>
  path.reduce((inner, key) => (inner as Record<string | number, unknown> | undefined)?.[key], value)
const servicesOf = (...services: readonly Service[]) => newState({ roots: [], services }).services
const clustersOf = (...services: readonly Service[]) => directClusters(servicesOf(...services)).map(resourceJson)

describe('the clusters of direct calls to pods', () => {
  it('are one for each identity and each kind of what is spoken, whatever the Services and their ports', () => {
    const names = clustersOf(
      newService({ ports, identities: [ORDERS] }),
      newService({ name: 'other', ports, identities: [GUEST, ORDERS] })
    ).map(({ name }) => String(name))
    const kinds = ['http', 'http2', 'tcp', 'undeclared']
    assert.deepEqual(
      names.toSorted(),
      ['guest', 'orders'].flatMap(account => kinds.map(kind => `direct/mesh.test/ns/shop/sa/${account}/${kind}`))
    )
  })

  it('lead to the address that was called, with the mutual TLS of Services and nothing less', () => {
    const service = newService({ ports, identities: [ORDERS] })
    const [ofService] = serviceClusters(service).map(resourceJson)
    for (const cluster of clustersOf(service)) {
      assert.deepEqual([cluster['type'], cluster['lbPolicy']], ['ORIGINAL_DST', 'CLUSTER_PROVIDED'])
      assert.equal(cluster['transportSocketMatches'], undefined)
      const tls = (one: JsonObject | undefined): unknown => at(one, 'transportSocket', 'typedConfig')
      const common = at(tls(cluster), 'commonTlsContext') as JsonObject
      assert.equal(at(common, 'validationContextSdsSecretConfig', 'name'), `peer/${ORDERS}`)
      const rest = { validationContextSdsSecretConfig: 0 }
      assert.deepEqual({ ...common, ...rest }, { ...(at(tls(ofService), 'commonTlsContext') as JsonObject), ...rest })
      assert.equal(at(tls(cluster), 'sni'), 'direct.countersign.internal')
      assert.equal(at(tls(cluster), 'maxSessionKeys'), 0)
    }
  })

  it('speak HTTP/2 where that is declared, and otherwise what the client speaks', () => {
    const isHttp2 = ({ typedExtensionProtocolOptions: options }: JsonObject): boolean =>
      JSON.stringify(options).includes('explicitHttpConfig')
    const clusters = clustersOf(newService({ ports, identities: [ORDERS] }))
    assert.deepEqual(
      clusters.filter(isHttp2).map(({ name }) => name),
      ['direct/mesh.test/ns/shop/sa/orders/http2']
    )
  })

  it('are none for identities that no pod of the namespace has, however many a Service pins', () => {
    const pinned = Array.from({ length: 10_000 }, (_, index) => `spiffe://mesh.test/ns/shop/sa/a${index}`)
    assert.deepEqual(clustersOf(newService({ ports, identities: pinned, podIdentities: [] })), [])
  })
})

describe('the secrets of direct calls', () => {
  it('demand the identity of the pod and no other, also where a Service has several', async () => {
    const root = await newRoot()
    const services = [
      newService({ ports, identities: [ORDERS, GUEST] }),
      newService({ name: 'b', identities: [GUEST] })
    ]
    const state = newState({ roots: [root], services })
    const secrets = directSecrets(state.mesh, state.services).map(resourceJson)
    const demanded = secrets.map(({ name, validationContext }) => [
      name,
      at(validationContext, 'matchTypedSubjectAltNames')
    ])
    assert.deepEqual(
      demanded.toSorted(),
      [GUEST, ORDERS].map(exact => [`peer/${exact}`, [{ sanType: 'URI', matcher: { exact } }]])
    )
  })
})
