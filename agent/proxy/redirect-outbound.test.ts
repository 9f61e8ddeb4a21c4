import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Endpoints, Protocol, type Service } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { resourceJson } from '../../test/envoy/index.ts'
import { newEndpoints, newService, newState } from './fixtures.test-support.ts'
import { redirectOutboundFilters, redirectOutboundListener } from './redirect-outbound.ts'

interface Chain {
  readonly name: string
  readonly filters?: readonly { readonly name: string; readonly configDiscovery?: unknown; readonly typedConfig?: At }[]
}

interface Listener {
  readonly filterChains: readonly Chain[]
  readonly filterChainMatcher: At
  readonly defaultFilterChain: Chain
  readonly address: { socketAddress: { address: string; portValue: number } }
  readonly additionalAddresses?: readonly { address: { socketAddress: { address: string } } }[]
}

type At = Readonly<Record<string, unknown>>

interface Part {
  readonly services: readonly Service[]
  readonly endpoints?: Readonly<Record<string, Endpoints>>
}

const stateOf = ({ services, endpoints = {} }: Part) => newState({ roots: [], services, endpoints })
const listenerOf = (part: Part): Listener =>
  resourceJson(redirectOutboundListener(stateOf(part), 'ipv4')) as unknown as Listener
const chainsOf = (part: Part): string[] => listenerOf(part).filterChains.map(({ name }) => name)
const port = (number: number, protocol = Protocol.HTTP) => ({ number, name: `p${number}`, protocol })

/** The configuration of each filter that chains refer to. */
const filtersOf = (part: Part): Map<string, At> =>
  new Map(
    redirectOutboundFilters(stateOf(part).services).map(filter => [
      filter.name,
      resourceJson(filter)['typedConfig'] as At
    ])
  )

/** `10.96.0.7/32 80: the chain`, one line for each destination. */
function destinationsOf(part: Part): string[] {
  const { exactMatchMap } = listenerOf(part).filterChainMatcher['matcherTree'] as {
    exactMatchMap: { map: Record<string, { matcher?: At; action?: At }> }
  }
  return Object.entries(exactMatchMap.map).flatMap(([port, { matcher, action }]) => {
    if (action !== undefined) return [`* ${port}: ${chainIn(action)}`]
    const tree = matcher?.['matcherTree'] as { customMatch: { typedConfig: { rangeMatchers: Range[] } } }
    return tree.customMatch.typedConfig.rangeMatchers.flatMap(({ ranges, onMatch }) =>
      ranges.map(({ addressPrefix, prefixLen }) => `${addressPrefix}/${prefixLen} ${port}: ${chainIn(onMatch.action)}`)
    )
  })
}

interface Range {
  readonly ranges: readonly { readonly addressPrefix: string; readonly prefixLen: number }[]
  readonly onMatch: { readonly action: At }
}

const chainIn = (action: At): string => (action['typedConfig'] as { value: string }).value
const BLACK_HOLE = '* 15001: black-hole'
const SOMEBODY = ['spiffe://mesh.test/ns/shop/sa/orders']
const [identity = ''] = SOMEBODY
const DIRECT = 'direct/mesh.test/ns/shop/sa/orders'

describe('the listener of redirected outgoing connections', () => {
  it('leads the addresses of a Service to a chain for each of its ports', () => {
    const ports = [port(80), port(9050, Protocol.HTTP2), port(5432, Protocol.TCP), port(8443, Protocol.TLS)]
    const part = { services: [newService({ addresses: ['10.96.0.7', 'fd00::7'], ports })] }
    assert.deepEqual(destinationsOf(part), [
      ...[80, 5432, 8443, 9050].flatMap(number => [
        `10.96.0.7/32 ${number}: outbound/shop/orders/${number}`,
        `fd00::7/128 ${number}: outbound/shop/orders/${number}`
      ]),
      BLACK_HOLE
    ])
    const kind = ({ '@type': type }: At) => String(type).split('.').at(-1)
    assert.deepEqual(
      [...filtersOf(part)].map(([name, config]) => [name, kind(config)]),
      [
        ['outbound/shop/orders/80/http', 'HttpConnectionManager'],
        ['outbound/shop/orders/9050/http', 'HttpConnectionManager'],
        ['outbound/shop/orders/5432/tcp', 'TcpProxy'],
        ['outbound/shop/orders/8443/tcp', 'TcpProxy']
      ]
    )
  })

  it('leads addresses of endpoints that accept mutual TLS to a chain of their own, by their own port', () => {
    const service = newService({ ports: [port(80)], identities: SOMEBODY })
    const endpoints = newEndpoints([
      {
        servicePort: 80,
        endpoints: [
          { address: '10.1.0.1', port: 8080, mutualTls: true, identity },
          { address: 'fd00::1', port: 8081, mutualTls: true, identity },
          { address: '10.1.0.2', port: 8080, mutualTls: false }
        ]
      }
    ])
    const part = { services: [service], endpoints: { 'shop/orders': endpoints } }
    assert.deepEqual(destinationsOf(part), [
      `10.1.0.1/32 8080: ${DIRECT}/http`,
      `fd00::1/128 8081: ${DIRECT}/http`,
      BLACK_HOLE
    ])
    assert.deepEqual(chainsOf(part), ['black-hole', 'undeclared', `${DIRECT}/http`])
  })

  for (const list of ['endpoints', 'unready'])
    it(`closes connections to ${list} with mutual TLS of a Service that nobody may serve`, () => {
      const endpoints = newEndpoints([
        { servicePort: 80, [list]: [{ address: '10.1.0.1', port: 8080, mutualTls: true, identity }] }
      ])
      const part = { services: [newService({ ports: [port(80)] })], endpoints: { 'shop/orders': endpoints } }
      assert.deepEqual(destinationsOf(part), ['10.1.0.1/32 8080: black-hole', BLACK_HOLE])
      assert.deepEqual(chainsOf(part), ['black-hole', 'undeclared'])
    })

  it('leads addresses of endpoints that are not ready where they lead when they are', () => {
    const service = newService({ ports: [port(80)], identities: SOMEBODY })
    const endpoints = newEndpoints([
      {
        servicePort: 80,
        endpoints: [{ address: '10.1.0.2', port: 8080, mutualTls: true, identity }],
        unready: [
          { address: '10.1.0.1', port: 8080, mutualTls: true, identity },
          { address: '10.1.0.3', port: 8080, mutualTls: false }
        ]
      }
    ])
    assert.deepEqual(destinationsOf({ services: [service], endpoints: { 'shop/orders': endpoints } }), [
      `10.1.0.1/32 8080: ${DIRECT}/http`,
      `10.1.0.2/32 8080: ${DIRECT}/http`,
      BLACK_HOLE
    ])
  })

  it('is the same bytes whichever endpoints are ready', () => {
    const place = fc.record({
      address: fc.integer({ min: 1, max: 4 }).map(last => `10.1.0.${last}`),
      port: fc.constantFrom(8080, 9090),
      mutualTls: fc.constant(true),
      identity: fc.constant(identity)
    })
    const places = fc.array(fc.tuple(place, fc.boolean(), fc.boolean()))
    const services = ['a', 'b'].map(name =>
      newService({ name, addresses: ['10.96.0.7'], ports: [port(80), port(81)], identities: SOMEBODY })
    )
    fc.assert(
      fc.property(fc.tuple(places, places), ([ofA, ofB]) => {
        const versionWhen = (when: 0 | 1) => {
          const endpointsOf = (list: typeof ofA) =>
            newEndpoints(
              [80, 81].map(servicePort => ({
                servicePort,
                endpoints: list.filter(([, ...ready]) => ready[when]).map(([at]) => at),
                unready: list.filter(([, ...ready]) => !ready[when]).map(([at]) => at)
              }))
            )
          const endpoints = { 'shop/a': endpointsOf(ofA), 'shop/b': endpointsOf(ofB) }
          return redirectOutboundListener(stateOf({ services, endpoints }), 'ipv4').version
        }
        assert.equal(versionWhen(0), versionWhen(1))
      })
    )
  })

  it('leads every host that a request may name to the Service that was called', () => {
    const service = newService({ addresses: ['10.96.0.7'], ports: [port(80)], identities: SOMEBODY })
    const filters = filtersOf({ services: [service] })
    for (const name of ['outbound/shop/orders/80', `${DIRECT}/http`]) {
      const routes = filters.get(`${name}/http`)?.['routeConfig'] as Record<string, unknown>
      const [virtualHost, ...others] = routes['virtualHosts'] as { domains: string[]; routes: { route: object }[] }[]
      assert.deepEqual(others, [])
      assert.deepEqual(virtualHost?.domains, ['*'])
      const clusters = virtualHost?.routes.map(({ route }) => (route as { cluster: string }).cluster)
      assert.deepEqual([...new Set(clusters)], [name])
    }
  })

  it('tries no second time where the client has chosen the endpoint itself', () => {
    const ports = [port(80), port(5432, Protocol.TCP)]
    const filters = filtersOf({ services: [newService({ addresses: ['10.96.0.7'], ports, identities: SOMEBODY })] })
    const text = (name: string): string => JSON.stringify(filters.get(name))
    assert.match(text('outbound/shop/orders/80/http'), /"retryPolicy"/)
    assert.doesNotMatch(text(`${DIRECT}/http/http`), /"retryPolicy"/)
    assert.equal(filters.get('outbound/shop/orders/5432/tcp')?.['maxConnectAttempts'], 3)
    assert.equal(filters.get(`${DIRECT}/tcp/tcp`)?.['maxConnectAttempts'], 1)
  })

  it('has every filter by reference, under a name that no other kind of filter has, and waits for it', () => {
    const ports = [port(80), port(5432, Protocol.TCP)]
    const part = { services: [newService({ addresses: ['10.96.0.7'], ports, identities: SOMEBODY })] }
    const filters = filtersOf(part)
    const chains = listenerOf(part).filterChains.slice(2)
    assert.equal(chains.length, filters.size)
    for (const { name: chain, filters: [filter, ...others] = [] } of chains) {
      const name = `${chain}/${/80$|http$/.test(chain) ? 'http' : 'tcp'}`
      assert.deepEqual(others, [])
      assert.deepEqual(filter, {
        name,
        configDiscovery: {
          configSource: { ads: {}, resourceApiVersion: 'V3', initialFetchTimeout: '0s' },
          typeUrls: [filters.get(name)?.['@type']]
        }
      })
    }
  })

  it('closes connections to its own port, whoever claims it', () => {
    const service = newService({ addresses: ['10.96.0.7'], ports: [port(15001)], identities: SOMEBODY })
    const endpoints = newEndpoints([
      { servicePort: 15001, endpoints: [{ address: '10.1.0.1', port: 15001, mutualTls: true, identity }] }
    ])
    assert.deepEqual(destinationsOf({ services: [service], endpoints: { 'shop/orders': endpoints } }), [BLACK_HOLE])
  })

  it('passes on what is no Service: by default, and for Services without an address', () => {
    const part = { services: [newService({ addresses: [], ports: [port(80)] })] }
    assert.deepEqual(destinationsOf(part), [BLACK_HOLE])
    assert.equal(listenerOf(part).defaultFilterChain.filters?.[0]?.typedConfig?.['cluster'], 'passthrough')
  })

  it('gives an address that two Services claim to the first by name, so that Envoy takes the rest', () => {
    const [first, second] = ['a', 'b'].map(name => newService({ name, addresses: ['10.96.0.7'], ports: [port(80)] }))
    assert.ok(first && second)
    for (const services of [
      [first, second],
      [second, first]
    ])
      assert.deepEqual(destinationsOf({ services }), ['10.96.0.7/32 80: outbound/shop/a/80', BLACK_HOLE])
  })

  it('gives an endpoint of several Services and ports to the first of them, and the address of a Service to it', () => {
    const ports = [port(80), port(81)]
    const at = (address: string) => ({ endpoints: [{ address, port: 8080, mutualTls: true, identity }] })
    const both = newEndpoints([
      { servicePort: 81, ...at('10.1.0.1') },
      { servicePort: 80, ...at('10.1.0.1') }
    ])
    const onto = newEndpoints([{ servicePort: 80, ...at('10.96.0.7') }])
    const services = [
      newService({ name: 'c', addresses: ['10.96.0.7'], ports: [port(8080)] }),
      newService({ name: 'b', ports, identities: SOMEBODY }),
      newService({ name: 'a', ports, identities: SOMEBODY })
    ]
    assert.deepEqual(destinationsOf({ services, endpoints: { 'shop/a': both, 'shop/b': both } }), [
      '10.96.0.7/32 8080: outbound/shop/c/8080',
      `10.1.0.1/32 8080: ${DIRECT}/http`,
      BLACK_HOLE
    ])
    assert.deepEqual(destinationsOf({ services, endpoints: { 'shop/a': onto } }), [
      '10.96.0.7/32 8080: outbound/shop/c/8080',
      BLACK_HOLE
    ])
  })

  it('leads nobody to who only says that it stands behind a headless Service, but for what stands behind another', () => {
    const at = (address: string) => ({ address, port: 8080, mutualTls: true, identity })
    const pinned = newEndpoints([{ servicePort: 80, untrusted: [at('10.1.0.1'), at('10.1.0.2')] }])
    const other = newEndpoints([{ servicePort: 80, endpoints: [at('10.1.0.2')] }])
    const services = ['a', 'b'].map(name =>
      newService({ name, addresses: [], ports: [port(80)], identities: SOMEBODY })
    )
    const destinations = destinationsOf({ services, endpoints: { 'shop/a': pinned, 'shop/b': other } })
    assert.deepEqual(
      new Set(destinations),
      new Set(['10.1.0.1/32 8080: black-hole', `10.1.0.2/32 8080: ${DIRECT}/http`, BLACK_HOLE])
    )
  })

  it('says nothing of the address of a pod of another namespace, whose Service does', () => {
    const at = (change: object) => [{ address: '10.1.0.1', port: 8080, mutualTls: true, ...change }]
    const services = [
      newService({
        namespace: 'aaa',
        name: 'evil',
        ports: [port(80, Protocol.TCP)],
        identities: SOMEBODY,
        podIdentities: []
      }),
      newService({ ports: [port(80)], identities: SOMEBODY })
    ]
    for (const list of ['endpoints', 'unready']) {
      const evil = newEndpoints([{ servicePort: 80, [list]: at({ foreign: true }) }])
      assert.deepEqual(destinationsOf({ services, endpoints: { 'aaa/evil': evil } }), [BLACK_HOLE])
      const own = newEndpoints([{ servicePort: 80, [list]: at({ identity }) }])
      assert.deepEqual(destinationsOf({ services, endpoints: { 'aaa/evil': evil, 'shop/orders': own } }), [
        `10.1.0.1/32 8080: ${DIRECT}/http`,
        BLACK_HOLE
      ])
    }
  })

  it('closes what accepts mutual TLS and proves no identity, as by an older authority, unless another Service knows it', () => {
    const at = (change: object) =>
      newEndpoints([{ servicePort: 80, endpoints: [{ address: '10.1.0.1', port: 8080, mutualTls: true, ...change }] }])
    const services = ['a', 'b'].map(name => newService({ name, ports: [port(80)], identities: SOMEBODY }))
    for (const unproven of [at({}), at({ identity: 'spiffe://mesh.test/ns/shop/sa/other' }), at({ identity: 'x' })]) {
      const closed = destinationsOf({ services, endpoints: { 'shop/a': unproven } })
      assert.deepEqual(closed, ['10.1.0.1/32 8080: black-hole', BLACK_HOLE])
      const known = destinationsOf({ services, endpoints: { 'shop/a': unproven, 'shop/b': at({ identity }) } })
      assert.deepEqual(known, [`10.1.0.1/32 8080: ${DIRECT}/http`, BLACK_HOLE])
    }
  })

  it('demands of each pod its own identity, where a Service has several', () => {
    const guest = 'spiffe://mesh.test/ns/shop/sa/guest'
    const service = newService({ ports: [port(80)], identities: [guest, ...SOMEBODY] })
    const endpoints = newEndpoints([
      {
        servicePort: 80,
        endpoints: [
          { address: '10.1.0.1', port: 8080, mutualTls: true, identity },
          { address: '10.1.0.2', port: 8080, mutualTls: true, identity: guest }
        ]
      }
    ])
    assert.deepEqual(destinationsOf({ services: [service], endpoints: { 'shop/orders': endpoints } }), [
      `10.1.0.1/32 8080: ${DIRECT}/http`,
      '10.1.0.2/32 8080: direct/mesh.test/ns/shop/sa/guest/http',
      BLACK_HOLE
    ])
  })

  it('does not depend on the order in which Services were heard of', () => {
    const services = ['c', 'a', 'b'].map((name, index) =>
      newService({ name, addresses: [`10.96.0.${index}`], ports: [port(80)] })
    )
    const versions = [services, [...services].reverse()].map(
      list => redirectOutboundListener(stateOf({ services: list }), 'ipv4').version
    )
    assert.equal(versions[0], versions[1])
  })

  it('leaves the chains of other Services as they are when one comes or goes', () => {
    const [a, b] = ['a', 'b'].map((name, index) =>
      newService({ name, addresses: [`10.96.0.${index}`], ports: [port(80)] })
    )
    assert.ok(a && b)
    const alone = listenerOf({ services: [a] })
    const both = listenerOf({ services: [a, b] })
    assert.deepEqual(both.filterChains.slice(0, 3), alone.filterChains)
    const rest = { filterChains: [], filterChainMatcher: {} }
    assert.deepEqual({ ...both, ...rest }, { ...alone, ...rest })
  })

  it('leaves every chain as it is when endpoints or addresses come and go, whatever they are', () => {
    const network = fc.integer({ min: 1, max: 254 }).map(last => `10.1.0.${last}`)
    const endpoint = fc.record({
      address: network,
      port: fc.integer({ min: 1, max: 65_535 }),
      mutualTls: fc.boolean(),
      identity: fc.constantFrom('', identity)
    })
    const chains = (addresses: string[], list: Parameters<typeof newEndpoints>[0]) =>
      listenerOf({
        services: [newService({ addresses, ports: [port(80)], identities: SOMEBODY })],
        endpoints: { 'shop/orders': newEndpoints(list) }
      }).filterChains
    const without = chains(['10.96.0.7'], [])
    fc.assert(
      fc.property(fc.array(endpoint), fc.uniqueArray(network, { minLength: 1 }), (endpoints, addresses) => {
        assert.deepEqual(chains(addresses, [{ servicePort: 80, endpoints }]), without)
      })
    )
  })

  it("listens on every address of the pod's families", () => {
    const addresses = (families: 'ipv4' | 'ipv6' | 'dual'): string[] => {
      const listener = resourceJson(
        redirectOutboundListener(stateOf({ services: [] }), families)
      ) as unknown as Listener
      return [listener, ...(listener.additionalAddresses ?? [])].map(({ address }) => address.socketAddress.address)
    }
    assert.deepEqual(addresses('ipv4'), ['0.0.0.0'])
    assert.deepEqual(addresses('ipv6'), ['::'])
    assert.deepEqual(addresses('dual'), ['0.0.0.0', '::'])
  })
})
