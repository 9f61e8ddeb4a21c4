import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Endpoints, Protocol, type Service } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { resourceJson } from '../../test/envoy/index.ts'
import { newEndpoints, newService, newState } from './fixtures.test-support.ts'
import { redirectOutboundFilters, redirectOutboundListener, undeclaredOutboundListener } from './redirect-outbound.ts'
import { undeclaredCluster } from './undeclared-outbound.ts'

interface Listener {
  readonly filterChains: readonly { readonly name: string }[]
  readonly filterChainMatcher: unknown
  readonly defaultFilterChain: { readonly name: string }
  readonly internalListener?: object
  readonly listenerFilters: readonly { readonly name: string }[]
  readonly listenerFiltersTimeout: string
  readonly continueOnListenerFiltersTimeout: boolean
}

interface Part {
  readonly services: readonly Service[]
  readonly endpoints?: Readonly<Record<string, Endpoints>>
}

const { UNSPECIFIED, TCP, HTTP, HTTP2, TLS } = Protocol
const SOMEBODY = ['spiffe://mesh.test/ns/shop/sa/orders']
const stateOf = ({ services, endpoints = {} }: Part) => newState({ roots: [], services, endpoints })
const outbound = (part: Part) => resourceJson(redirectOutboundListener(stateOf(part), 'ipv4')) as unknown as Listener
const undeclared = (part: Part) => resourceJson(undeclaredOutboundListener(stateOf(part))) as unknown as Listener
const chainsOf = ({ filterChains }: Listener): string[] => filterChains.map(({ name }) => name)
/** The names of chains that a matcher leads to, in order. */
const ledTo = ({ filterChainMatcher }: Listener): string[] =>
  [...JSON.stringify(filterChainMatcher).matchAll(/"value":"([^"]+)"/g)].map(([, name = '']) => name)
const service = (protocol: Protocol, identities = SOMEBODY): Service =>
  newService({ addresses: ['10.96.0.7'], ports: [{ number: 80, name: 'web', protocol }], identities })
const ENDPOINTS = {
  'shop/orders': newEndpoints([
    { servicePort: 80, endpoints: [{ address: '10.1.0.1', port: 8080, mutualTls: true, identity: SOMEBODY[0] ?? '' }] }
  ])
}

describe('the listener behind that of redirected outgoing connections', () => {
  it('has all that goes to a port that declares nothing, whether to the Service or to an endpoint', () => {
    const part = { services: [service(UNSPECIFIED)], endpoints: ENDPOINTS }
    assert.deepEqual(chainsOf(outbound(part)), ['black-hole', 'undeclared'])
    assert.deepEqual(ledTo(outbound(part)), ['undeclared', 'undeclared', 'black-hole'])
    assert.deepEqual(chainsOf(undeclared(part)), [
      'black-hole',
      'outbound/shop/orders/80/http',
      'outbound/shop/orders/80/tcp',
      'direct/mesh.test/ns/shop/sa/orders/undeclared/http',
      'direct/mesh.test/ns/shop/sa/orders/undeclared/tcp'
    ])
  })

  it('chooses by where a connection was going and what was found, and takes what was not for bytes', () => {
    const text = JSON.stringify(undeclared({ services: [service(UNSPECIFIED)] }).filterChainMatcher)
    const found = [...text.matchAll(/"('[^"]+')":/g)].map(([, protocol]) => protocol)
    assert.deepEqual(found, ["'http/1.1'", "'h2c'"])
    assert.match(text, /"onNoMatch":\{"action":\{[^{]*\{[^{]*"value":"outbound\/shop\/orders\/80\/tcp"/)
  })

  it('has filters of declared ports of a Service, under the same names', () => {
    const filters = (...protocols: Protocol[]) =>
      protocols.flatMap(protocol => redirectOutboundFilters(stateOf({ services: [service(protocol, [])] }).services))
    const versions = (list: ReturnType<typeof filters>) =>
      new Set(list.map(({ name, version }) => `${name}@${version}`))
    assert.deepEqual(versions(filters(UNSPECIFIED)), versions(filters(HTTP, TCP)))
  })

  for (const protocol of [TCP, HTTP, HTTP2, TLS])
    it(`has nothing of a port that declares ${Protocol[protocol]}`, () => {
      const part = { services: [service(protocol)], endpoints: ENDPOINTS }
      assert.deepEqual(chainsOf(undeclared(part)), ['black-hole'])
      assert.ok(!ledTo(outbound(part)).includes('undeclared'))
    })

  it('has a port of which only a newer authority knows what it declares', () => {
    assert.equal(chainsOf(undeclared({ services: [service(99 as Protocol)] })).length, 5)
  })

  it('has no endpoint of a Service that nobody may serve: there the connection is closed', () => {
    const part = { services: [service(UNSPECIFIED, [])], endpoints: ENDPOINTS }
    assert.deepEqual(ledTo(outbound(part)), ['undeclared', 'black-hole', 'black-hole'])
    assert.ok(!JSON.stringify(undeclared(part).filterChainMatcher).includes('10.1.0.1'))
  })

  it('passes on what it has no chain for, as the first does', () => {
    const { defaultFilterChain } = undeclared({ services: [] })
    assert.deepEqual(defaultFilterChain, (outbound({ services: [] }) as Listener).defaultFilterChain)
  })

  it('is reached from within alone, and keeps nobody waiting for long', () => {
    const { internalListener, listenerFilters, listenerFiltersTimeout, continueOnListenerFiltersTimeout } = undeclared({
      services: []
    })
    assert.deepEqual(internalListener, {})
    assert.deepEqual(
      listenerFilters.map(({ name }) => name.split('.').at(-1)),
      ['original_dst', 'http_inspector']
    )
    assert.deepEqual([listenerFiltersTimeout, continueOnListenerFiltersTimeout], ['0.100s', true])
    assert.match(JSON.stringify(resourceJson(undeclaredCluster)), /"serverListenerName":"outbound-undeclared"/)
  })

  it('is the same in all but chains and matcher, whatever Services there are', () => {
    const rest = { filterChains: [], filterChainMatcher: {} }
    const one = undeclared({ services: [service(UNSPECIFIED)], endpoints: ENDPOINTS })
    assert.deepEqual({ ...one, ...rest }, { ...undeclared({ services: [] }), ...rest })
  })

  it('leaves every chain as it is when endpoints come and go', () => {
    const services = [service(UNSPECIFIED)]
    assert.deepEqual(undeclared({ services, endpoints: ENDPOINTS }).filterChains, undeclared({ services }).filterChains)
  })
})
