import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Service } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { resourceJson } from '../../test/envoy/index.ts'
import { explicitOutboundListener, explicitRoutes } from './explicit-outbound.ts'
import { newService, newState, newWorkload } from './fixtures.test-support.ts'

interface VirtualHost {
  readonly name: string
  readonly domains: readonly string[]
  readonly routes: readonly {
    readonly match: { prefix?: string; connectMatcher?: object }
    readonly route?: {
      readonly cluster: string
      readonly timeout: string
      readonly retryPolicy?: { readonly retryOn: string }
    }
    readonly directResponse?: { readonly status: number }
  }[]
}

const http = [{ number: 80, name: 'http', protocol: Protocol.HTTP }]
const mapOf = (...services: readonly Service[]): ReadonlyMap<string, Service> =>
  new Map(services.map(service => [`${service.namespace}/${service.name}`, service]))
const { mesh } = newState({ roots: [] })
const hostsFrom = (namespace: string, ...services: readonly Service[]): readonly VirtualHost[] =>
  resourceJson(explicitRoutes(mesh, mapOf(...services), namespace))['virtualHosts'] as unknown as VirtualHost[]

describe('the routes of explicit proxying', () => {
  const orders = newService({ namespace: 'shop', name: 'orders', ports: http, addresses: ['10.96.0.7'] })
  const namesake = newService({ namespace: 'billing', name: 'orders', ports: http })

  it('lead a short name to the Service of the own namespace', () => {
    const clusterOf = (namespace: string): string | undefined =>
      hostsFrom(namespace, orders, namesake).find(({ domains }) => domains.includes('orders'))?.routes[1]?.route
        ?.cluster
    assert.equal(clusterOf('shop'), 'outbound/shop/orders/80')
    assert.equal(clusterOf('billing'), 'outbound/billing/orders/80')
    assert.equal(clusterOf('elsewhere'), undefined)
  })

  it('end tunnels and pass requests, without a time limit, and repeat what did not arrive', () => {
    const [host] = hostsFrom('shop', orders)
    assert.deepEqual(
      host?.routes.map(({ match }) => Object.keys(match)),
      [['connectMatcher'], ['prefix', 'headers'], ['prefix']]
    )
    for (const { route } of host?.routes ?? []) assert.equal(route?.timeout, '0s')
    assert.deepEqual(
      host?.routes.slice(1).map(({ route }) => route?.retryPolicy?.retryOn.split(',').includes('reset')),
      [true, false]
    )
  })

  it('refuse what is unknown, as a request and as a tunnel', () => {
    for (const hosts of [hostsFrom('shop'), hostsFrom('shop', orders)]) {
      const last = hosts.at(-1)
      assert.deepEqual(last?.domains, ['*'])
      assert.deepEqual(
        last.routes.map(({ directResponse }) => directResponse?.status),
        [502, 502]
      )
    }
  })

  it('have each domain once, for Envoy refuses all of them otherwise', () => {
    const rival = newService({ namespace: 'shop', name: 'rival', ports: http, addresses: ['10.96.0.7'] })
    const hosts = hostsFrom('shop', rival, orders, namesake)
    const domains = hosts.flatMap(host => host.domains)
    assert.equal(new Set(domains).size, domains.length)
    assert.equal(hosts.find(host => host.domains.includes('10.96.0.7'))?.name, 'shop/orders/80')
  })

  it('are named by the namespace, and shared by its pods', () => {
    const services = mapOf(orders)
    const resource = explicitRoutes(mesh, services, 'shop')
    assert.equal(resource.name, 'outbound/shop')
    assert.equal(explicitRoutes(mesh, services, 'shop'), resource)
    assert.notEqual(explicitRoutes(mesh, services, 'billing').version, resource.version)
  })
})

describe('the proxy for outgoing calls', () => {
  const rangesFor = (addresses: string[], applicationAddress: string): string[] => {
    const listener = resourceJson(explicitOutboundListener(newWorkload({ addresses }), applicationAddress))
    const [chain] = listener['filterChains'] as unknown as {
      filterChainMatch: { sourcePrefixRanges: { addressPrefix: string; prefixLen: number }[] }
    }[]
    return chain?.filterChainMatch.sourcePrefixRanges.map(range => `${range.addressPrefix}/${range.prefixLen}`) ?? []
  }

  it('serves its own machine only: who may use it speaks as the pod', () => {
    assert.deepEqual(rangesFor(['192.0.2.7', '2001:db8::7'], '10.0.0.1'), [
      '127.0.0.0/8',
      '::1/128',
      '192.0.2.7/32',
      '2001:db8::7/128',
      '10.0.0.1/32'
    ])
  })

  it('names no range twice, which Envoy would refuse', () => {
    assert.deepEqual(rangesFor(['127.83.0.1', '192.0.2.7'], '192.0.2.7'), ['127.0.0.0/8', '::1/128', '192.0.2.7/32'])
  })
})
