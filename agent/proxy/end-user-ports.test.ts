import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  type EndUserChecks,
  EndUserChecksSchema,
  MutualTlsMode,
  Protocol,
  type Workload
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { resourceJson } from '../../test/envoy/index.ts'
import { newWorkload } from './fixtures.test-support.ts'
import { type Chain, chainsOf, namesOf } from './inbound-chains.test-support.ts'
import { redirectInboundListener } from './redirect-inbound.ts'

const { HTTP, HTTP2, TCP, TLS, UNSPECIFIED } = Protocol
const { STRICT, PERMISSIVE, DISABLE } = MutualTlsMode
const UNKNOWN_YET = 99 as Protocol

const KINDS = ['redirect', 'explicit'] as const
const MODES = [STRICT, PERMISSIVE, DISABLE]
const PROTOCOLS = [UNSPECIFIED, HTTP, HTTP2, TCP, TLS, UNKNOWN_YET]

type Rules = Exclude<MessageInitShape<typeof EndUserChecksSchema>, EndUserChecks>['rules'] & object
const REQUIRED: Rules = [{ providers: ['p'], required: true }]
const ACCEPTED: Rules = [{ providers: ['p'], required: false }]
const exempting = (...exemptPorts: number[]): Rules => [{ providers: ['p'], required: true, exemptPorts }]

function workloadOf(protocol: Protocol, mode: MutualTlsMode, rules?: Rules): Workload {
  const providers = [{ name: 'p', issuer: 'https://i.test', keySet: 'k' }]
  return newWorkload({
    ports: [{ number: 8080, protocol }],
    mode,
    ...(rules === undefined ? {} : { endUsers: create(EndUserChecksSchema, { providers, rules }) })
  })
}

const isHttp = (chain: Chain): boolean =>
  String(chain.filters?.[0]?.typedConfig['@type']).endsWith('.HttpConnectionManager')
const isClosed = (chain: Chain): boolean => (chain.filters ?? []).length === 0
const passesBytes = (chain: Chain): boolean => !isHttp(chain) && !isClosed(chain)

/** The chains of one port, in every interception. */
const everyChain = (workload: Workload, port: string): Chain[] =>
  KINDS.flatMap(kind => [...chainsOf(workload, kind)].filter(([name]) => name.startsWith(`${port}/`))).map(
    ([, chain]) => chain
  )

describe('a port of a workload that a policy on end users selects', () => {
  for (const [what, rules] of Object.entries({ REQUIRED, ACCEPTED }))
    it(`passes no bytes where nothing is declared, or HTTP is, with a token ${what.toLowerCase()}`, t => {
      let chains = 0
      for (const protocol of [UNSPECIFIED, HTTP, HTTP2, UNKNOWN_YET])
        for (const mode of MODES)
          for (const port of ['8080', 'undeclared'])
            for (const chain of everyChain(workloadOf(protocol, mode, rules), port)) {
              assert.ok(isHttp(chain), `${chain.name} of ${Protocol[protocol]}`)
              chains++
            }
      t.diagnostic(`${chains} chains`)
    })

  it('is closed where TCP or TLS is declared and a token is required', () => {
    for (const protocol of [TCP, TLS])
      for (const mode of MODES)
        for (const kind of KINDS) {
          const chains = chainsOf(workloadOf(protocol, mode, REQUIRED), kind)
          assert.deepEqual(namesOf(chains, '8080'), ['closed'])
          const { filterChainMatch, filters, transportSocket } = chains.get('8080/closed') ?? assert.fail()
          // Of its own, so that connections do not match the chains of ports that declare nothing.
          assert.deepEqual(filterChainMatch, kind === 'redirect' ? { destinationPort: 8080 } : {})
          assert.deepEqual([filters, transportSocket], [undefined, undefined])
        }
  })

  it('is as without a policy where TCP or TLS is declared and no token is required', () => {
    for (const protocol of [TCP, TLS])
      for (const mode of MODES)
        for (const kind of KINDS) {
          const [before, after] = [undefined, ACCEPTED].map(rules => chainsOf(workloadOf(protocol, mode, rules), kind))
          for (const chains of [before, after])
            for (const name of chains?.keys() ?? []) if (!name.startsWith('8080/')) chains?.delete(name)
          assert.deepEqual(after, before)
        }
  })

  it('takes mutual TLS only in strict mode, and the same TLS as before in the others', () => {
    for (const protocol of [UNSPECIFIED, HTTP]) {
      const socketsIn = (mode: MutualTlsMode) =>
        everyChain(workloadOf(protocol, mode, REQUIRED), '8080').map(({ transportSocket }) => transportSocket)
      assert.ok(socketsIn(STRICT).every(socket => socket?.typedConfig['requireClientCertificate'] === true))
      assert.ok(socketsIn(PERMISSIVE).some(socket => socket === undefined))
      assert.ok(socketsIn(DISABLE).every(socket => socket === undefined))
    }
  })

  it('has chains of the same name and bytes as without a policy, so that checked connections stay', () => {
    const kept = new Set<string>()
    for (const protocol of PROTOCOLS)
      for (const mode of MODES)
        for (const kind of KINDS) {
          const [before, after] = [undefined, REQUIRED].map(rules => chainsOf(workloadOf(protocol, mode, rules), kind))
          before?.delete('black-hole')
          for (const [name, chain] of before ?? [])
            if (after?.has(name)) {
              assert.deepEqual(after.get(name), chain, name)
              kept.add(name)
            } else assert.ok(passesBytes(chain) || [TCP, TLS].includes(protocol), `${name} carries HTTP, and is gone`)
        }
    for (const name of ['8080/mtls', '8080/plaintext', 'undeclared/mtls-marked-http', 'undeclared/plaintext-http'])
      assert.ok(kept.has(name), name)
  })

  it('changes nothing of a listener but its chains', () => {
    const rest = (workload: Workload): object => ({
      ...resourceJson(redirectInboundListener(workload, '1.3')),
      filterChains: []
    })
    for (const protocol of PROTOCOLS)
      for (const mode of MODES)
        for (const rules of [REQUIRED, ACCEPTED, exempting(9090)])
          assert.deepEqual(rest(workloadOf(protocol, mode, rules)), rest(workloadOf(protocol, mode)))
  })

  it('is told apart in the note of the configuration', () => {
    const note = (protocol: Protocol, rules: Rules): unknown =>
      chainsOf(workloadOf(protocol, STRICT, rules), 'redirect').get('black-hole')?.metadata
    assert.match(JSON.stringify(note(UNSPECIFIED, REQUIRED)), /"UNSPECIFIED: .*HTTP only"/)
    assert.match(JSON.stringify(note(TCP, REQUIRED)), /"TCP: .*closed: .*require a token/)
    assert.doesNotMatch(JSON.stringify(note(TCP, ACCEPTED)), /closed/)
  })
})

describe('a port that every rule exempts', () => {
  it('is as without a policy, whatever it declares', () => {
    for (const protocol of PROTOCOLS)
      for (const mode of MODES)
        for (const kind of KINDS) {
          const [before, after] = [undefined, exempting(8080)].map(rules =>
            chainsOf(workloadOf(protocol, mode, rules), kind)
          )
          const names = namesOf(before ?? new Map(), '8080')
          assert.deepEqual(namesOf(after ?? new Map(), '8080'), names)
          for (const name of names) assert.deepEqual(after?.get(`8080/${name}`), before?.get(`8080/${name}`))
        }
  })

  it('passes bytes where nothing declares it, and the other undeclared ports do not', () => {
    for (const mode of MODES) {
      const chains = chainsOf(workloadOf(HTTP, mode, exempting(9090)), 'redirect')
      assert.ok(namesOf(chains, '9090').some(name => passesBytes(chains.get(`9090/${name}`) ?? assert.fail())))
      for (const name of namesOf(chains, '9090'))
        assert.equal(chains.get(`9090/${name}`)?.filterChainMatch?.['destinationPort'], 9090)
      for (const name of namesOf(chains, 'undeclared'))
        assert.ok(isHttp(chains.get(`undeclared/${name}`) ?? assert.fail()))
    }
  })

  it('is not opened by its exemption where listeners exist for declared ports only', () => {
    assert.deepEqual(namesOf(chainsOf(workloadOf(HTTP, STRICT, exempting(9090)), 'explicit'), '9090'), [])
  })

  it("is none of the proxy's own, and never all that are undeclared", () => {
    const numbers = [0, 15001, 15006, 15020, 15021, 15090, 65_536, 4_294_967_295]
    const workload = workloadOf(HTTP, PERMISSIVE, exempting(...numbers))
    const chains = chainsOf(workload, 'redirect')
    assert.deepEqual(
      [...chains.keys()].filter(name => !name.startsWith('8080/')),
      ['black-hole', 'black-hole-outbound', ...namesOf(chains, 'undeclared').map(name => `undeclared/${name}`)]
    )
    for (const chain of everyChain(workload, 'undeclared')) assert.ok(isHttp(chain), chain.name)
  })

  it('is not exempt from a rule of another policy', () => {
    const rules = [...exempting(8080), ...REQUIRED]
    for (const mode of MODES) {
      assert.ok(everyChain(workloadOf(UNSPECIFIED, mode, rules), '8080').every(isHttp))
      assert.ok(everyChain(workloadOf(TCP, mode, rules), '8080').every(isClosed))
    }
  })
})

describe('the header that holds the local port', () => {
  it('is set by every inbound connection manager, after what the client sent is removed, and is not for the application', () => {
    let managers = 0
    for (const rules of [undefined, REQUIRED])
      for (const protocol of PROTOCOLS)
        for (const mode of MODES)
          for (const kind of KINDS)
            for (const chain of chainsOf(workloadOf(protocol, mode, rules), kind).values()) {
              if (!isHttp(chain)) continue
              managers++
              const config = chain.filters?.[0]?.typedConfig ?? {}
              const early = JSON.stringify(config['earlyHeaderMutationExtensions'])
              const [removed, set] = [
                early.indexOf('x[-_]countersign[-_]port'),
                early.indexOf('%DOWNSTREAM_LOCAL_PORT%')
              ]
              assert.ok(removed >= 0 && set > removed, chain.name)
              assert.deepEqual((config['routeConfig'] as Record<string, unknown>)['requestHeadersToRemove'], [
                'x-countersign-port'
              ])
            }
    assert.ok(managers > 0)
  })
})
