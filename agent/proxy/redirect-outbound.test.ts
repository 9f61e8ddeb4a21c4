import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Protocol, type Service } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { resourceJson } from '../../test/envoy/index.ts'
import { newService } from './fixtures.test-support.ts'
import { redirectOutboundListener } from './redirect-outbound.ts'

interface Chain {
  readonly name: string
  readonly filterChainMatch?: {
    destinationPort?: number
    prefixRanges?: { addressPrefix: string; prefixLen: number }[]
  }
  readonly filters?: readonly { readonly name: string; readonly typedConfig: Record<string, unknown> }[]
}

interface Listener {
  readonly filterChains: readonly Chain[]
  readonly defaultFilterChain: Chain
  readonly address: { socketAddress: { address: string; portValue: number } }
  readonly additionalAddresses?: readonly { address: { socketAddress: { address: string } } }[]
}

const mapOf = (...services: readonly Service[]): ReadonlyMap<string, Service> =>
  new Map(services.map(service => [`${service.namespace}/${service.name}`, service]))
const listenerOf = (...services: readonly Service[]): Listener =>
  resourceJson(redirectOutboundListener(mapOf(...services), 'ipv4')) as unknown as Listener
const port = (number: number, protocol = Protocol.HTTP) => ({ number, name: `p${number}`, protocol })
const targets = ({ filterChains }: Listener): (string | undefined)[] => filterChains.slice(1).map(chain => chain.name)

describe('the listener of redirected outgoing connections', () => {
  it('has a chain for each address and port of a Service', () => {
    const service = newService({ addresses: ['10.96.0.7', 'fd00::7'], ports: [port(80), port(5432, Protocol.TCP)] })
    const { filterChains } = listenerOf(service)
    assert.deepEqual(
      filterChains
        .slice(1)
        .map(({ filterChainMatch: match }) => [
          match?.prefixRanges?.[0]?.addressPrefix,
          match?.prefixRanges?.[0]?.prefixLen,
          match?.destinationPort
        ]),
      [
        ['10.96.0.7', 32, 80],
        ['fd00::7', 128, 80],
        ['10.96.0.7', 32, 5432],
        ['fd00::7', 128, 5432]
      ]
    )
    assert.deepEqual(
      filterChains.slice(1).map(({ filters }) => filters?.[0]?.name.split('.').at(-1)),
      ['http_connection_manager', 'http_connection_manager', 'tcp_proxy', 'tcp_proxy']
    )
  })

  it('leads every host that a request may name to the Service that was called', () => {
    const { filterChains } = listenerOf(newService({ addresses: ['10.96.0.7'], ports: [port(80)] }))
    const routes = filterChains[1]?.filters?.[0]?.typedConfig['routeConfig'] as Record<string, unknown>
    const [virtualHost, ...others] = routes['virtualHosts'] as { domains: string[]; routes: { route: object }[] }[]
    assert.deepEqual(others, [])
    assert.deepEqual(virtualHost?.domains, ['*'])
    assert.deepEqual(
      virtualHost?.routes.map(({ route }) => (route as { cluster: string }).cluster),
      ['outbound/shop/orders/80']
    )
  })

  it('closes connections to its own port, whoever claims it', () => {
    const { filterChains } = listenerOf(newService({ addresses: ['10.96.0.7'], ports: [port(15001)] }))
    assert.deepEqual(filterChains, [{ name: 'black-hole', filterChainMatch: { destinationPort: 15001 } }])
  })

  it('passes on what is no Service: by default, and for Services without an address', () => {
    const { filterChains, defaultFilterChain } = listenerOf(newService({ addresses: [], ports: [port(80)] }))
    assert.equal(filterChains.length, 1)
    assert.equal(defaultFilterChain.filters?.[0]?.typedConfig['cluster'], 'passthrough')
  })

  it('gives an address that two Services claim to the first by name, so that Envoy takes the rest', () => {
    const [first, second] = ['a', 'b'].map(name => newService({ name, addresses: ['10.96.0.7'], ports: [port(80)] }))
    assert.ok(first && second)
    for (const order of [
      [first, second],
      [second, first]
    ])
      assert.deepEqual(targets(listenerOf(...order)), ['10.96.0.7/80/shop/a'])
  })

  it('does not depend on the order in which Services were heard of', () => {
    const services = ['c', 'a', 'b'].map((name, index) =>
      newService({ name, addresses: [`10.96.0.${index}`], ports: [port(80)] })
    )
    const versions = [services, [...services].reverse()].map(
      list => redirectOutboundListener(mapOf(...list), 'ipv4').version
    )
    assert.equal(versions[0], versions[1])
  })

  it('leaves the chains of other Services as they are when one comes or goes', () => {
    const [a, b] = ['a', 'b'].map((name, index) =>
      newService({ name, addresses: [`10.96.0.${index}`], ports: [port(80)] })
    )
    assert.ok(a && b)
    const alone = listenerOf(a)
    const both = listenerOf(a, b)
    assert.deepEqual(both.filterChains.slice(0, 2), alone.filterChains)
    assert.deepEqual({ ...both, filterChains: [] }, { ...alone, filterChains: [] })
  })

  it("listens on every address of the pod's families", () => {
    const addresses = (families: 'ipv4' | 'ipv6' | 'dual'): string[] => {
      const listener = resourceJson(redirectOutboundListener(mapOf(), families)) as unknown as Listener
      return [listener, ...(listener.additionalAddresses ?? [])].map(({ address }) => address.socketAddress.address)
    }
    assert.deepEqual(addresses('ipv4'), ['0.0.0.0'])
    assert.deepEqual(addresses('ipv6'), ['::'])
    assert.deepEqual(addresses('dual'), ['0.0.0.0', '::'])
  })
})
