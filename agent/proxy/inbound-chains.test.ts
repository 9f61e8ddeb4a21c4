import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MutualTlsMode, Protocol, type Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { resourceJson } from '../../test/envoy/index.ts'
import { explicitInboundListeners } from './explicit-inbound.ts'
import { newWorkload } from './fixtures.test-support.ts'
import { redirectInboundListener } from './redirect-inbound.ts'

const { HTTP, HTTP2, TCP, TLS, UNSPECIFIED } = Protocol
const { STRICT, PERMISSIVE, DISABLE } = MutualTlsMode

interface Chain {
  readonly name: string
  readonly filterChainMatch?: Record<string, unknown>
  readonly transportSocket?: { readonly typedConfig: Record<string, unknown> }
  readonly filters?: readonly { readonly typedConfig: Record<string, unknown> }[]
}

/** The chains of a workload's listeners, by name. */
function chainsOf(workload: Workload, kind: 'redirect' | 'explicit'): Map<string, Chain> {
  const listeners = kind === 'redirect' ? [redirectInboundListener(workload)] : explicitInboundListeners(workload)
  const chains = listeners.flatMap(listener => resourceJson(listener)['filterChains'] as unknown as Chain[])
  return new Map(chains.map(chain => [chain.name, chain]))
}

const workloadOf = (protocol: Protocol, mode: MutualTlsMode): Workload =>
  newWorkload({ ports: [{ number: 8080, protocol }], mode })

/** What of a connection gets in: `mutual TLS`, `clear` or nothing. */
const CASES: readonly { title: string; protocol: Protocol; mode: MutualTlsMode; chains: readonly string[] }[] = [
  { title: 'strict HTTP takes TLS only', protocol: HTTP, mode: STRICT, chains: ['mtls'] },
  { title: 'strict HTTP/2 takes TLS only', protocol: HTTP2, mode: STRICT, chains: ['mtls'] },
  { title: 'permissive HTTP takes both', protocol: HTTP, mode: PERMISSIVE, chains: ['mtls', 'plaintext'] },
  { title: 'disabled HTTP ends no TLS', protocol: HTTP, mode: DISABLE, chains: ['plaintext', 'untouched-tls'] },
  { title: 'strict TCP takes TLS only', protocol: TCP, mode: STRICT, chains: ['mtls-marked', 'mtls-unmarked'] },
  {
    title: 'permissive TCP ends the TLS of the mesh and passes on that of the application',
    protocol: TCP,
    mode: PERMISSIVE,
    chains: ['mtls-marked', 'untouched']
  },
  { title: 'disabled TCP touches nothing', protocol: TCP, mode: DISABLE, chains: ['untouched'] },
  { title: 'strict TLS wants the TLS of the mesh around it', protocol: TLS, mode: STRICT, chains: ['mtls-marked'] },
  { title: 'permissive TLS is passed on', protocol: TLS, mode: PERMISSIVE, chains: ['mtls-marked', 'untouched'] },
  { title: 'disabled TLS is passed on', protocol: TLS, mode: DISABLE, chains: ['untouched'] },
  {
    title: 'an unspecified protocol is bytes',
    protocol: UNSPECIFIED,
    mode: PERMISSIVE,
    chains: ['mtls-marked', 'untouched']
  },
  { title: 'an unspecified mode is strict', protocol: HTTP, mode: MutualTlsMode.UNSPECIFIED, chains: ['mtls'] },
  { title: 'a mode from the future is strict', protocol: HTTP, mode: 99 as MutualTlsMode, chains: ['mtls'] },
  {
    title: 'a protocol from the future is bytes',
    protocol: 99 as Protocol,
    mode: STRICT,
    chains: ['mtls-marked', 'mtls-unmarked']
  }
]

describe('the filter chains of a port', () => {
  for (const { title, protocol, mode, chains } of CASES)
    it(title, () => {
      const workload = workloadOf(protocol, mode)
      for (const kind of ['redirect', 'explicit'] as const) {
        const names = [...chainsOf(workload, kind).keys()].filter(name => name.startsWith('8080/'))
        assert.deepEqual(
          names,
          chains.map(chain => `8080/${chain}`),
          kind
        )
      }
    })

  it('asks for a client certificate wherever it ends TLS, and nowhere else', () => {
    for (const protocol of [HTTP, HTTP2, TCP, TLS])
      for (const mode of [STRICT, PERMISSIVE, DISABLE])
        for (const [name, chain] of chainsOf(workloadOf(protocol, mode), 'redirect')) {
          const tls = chain.transportSocket?.typedConfig
          assert.equal(tls !== undefined, name.includes('/mtls'), name)
          if (tls === undefined) continue
          assert.equal(tls['requireClientCertificate'], true)
          assert.equal(tls['disableStatelessSessionResumption'], true)
          assert.equal(tls['disableStatefulSessionResumption'], true)
          const common = tls['commonTlsContext'] as Record<string, Record<string, unknown>>
          assert.equal(common['tlsParams']?.['tlsMinimumProtocolVersion'], 'TLSv1_3')
          assert.equal(common['validationContextSdsSecretConfig']?.['name'], 'ALL')
        }
  })

  it('has the same bytes in every mode, so that a change of mode leaves open connections alone', () => {
    for (const protocol of [HTTP, HTTP2, TCP, TLS]) {
      const [strict, permissive, disabled] = [STRICT, PERMISSIVE, DISABLE].map(mode =>
        chainsOf(workloadOf(protocol, mode), 'redirect')
      )
      for (const [name, chain] of permissive ?? [])
        for (const other of [strict, disabled]) {
          // Undeclared ports have other chains for other modes under the same rule: compared below by name too.
          const same = other?.get(name)
          if (same !== undefined) assert.deepEqual(same, chain, name)
        }
      assert.ok([...(strict?.keys() ?? [])].some(name => name.startsWith('8080/mtls') && permissive?.has(name)))
    }
  })

  it('changes nothing of a listener but its chains, whatever ports and modes a workload has', () => {
    const rest = (workload: Workload): object => ({
      ...resourceJson(redirectInboundListener(workload)),
      filterChains: []
    })
    const first = rest(newWorkload({ mode: STRICT }))
    for (const mode of [STRICT, PERMISSIVE, DISABLE])
      for (const protocol of [HTTP, TCP, TLS]) assert.deepEqual(rest(workloadOf(protocol, mode)), first)
  })

  it('gives a port its own mode before the mode of the workload', () => {
    const workload = newWorkload({
      ports: [
        { number: 8080, protocol: HTTP },
        { number: 8081, protocol: HTTP }
      ],
      mode: STRICT,
      portModes: { 8081: PERMISSIVE }
    })
    const chains = chainsOf(workload, 'redirect')
    assert.ok(!chains.has('8080/plaintext'))
    assert.ok(chains.has('8081/plaintext'))
  })

  it('has chains for a port that only a policy names', () => {
    const workload = newWorkload({ mode: STRICT, portModes: { 9090: DISABLE } })
    assert.deepEqual(
      [...chainsOf(workload, 'redirect').keys()].filter(name => name.startsWith('9090/')),
      ['9090/untouched']
    )
  })

  it('is strict on undeclared ports of a strict workload', () => {
    const names = (mode: MutualTlsMode): string[] =>
      [...chainsOf(newWorkload({ mode }), 'redirect').keys()].filter(name => name.startsWith('undeclared/'))
    assert.deepEqual(names(STRICT), ['undeclared/mtls-marked', 'undeclared/mtls-unmarked'])
    assert.deepEqual(names(PERMISSIVE), ['undeclared/mtls-marked', 'undeclared/untouched'])
    assert.deepEqual(names(DISABLE), ['undeclared/untouched'])
  })

  it("has no chain for the proxy's own ports and for none that is no port", () => {
    const wrong = [0, 15001, 15006, 15020, 15021, 15090, 65_536]
    const workload = newWorkload({ ports: wrong.map(number => ({ number, protocol: HTTP })), mode: PERMISSIVE })
    assert.deepEqual(
      [...chainsOf(workload, 'redirect').keys()],
      ['black-hole', 'undeclared/mtls-marked', 'undeclared/untouched']
    )
    assert.deepEqual([...chainsOf(workload, 'explicit').keys()], [])
  })

  it('tells an application who calls where that is proven, and takes the claim away where it is not', () => {
    const chains = chainsOf(workloadOf(HTTP, PERMISSIVE), 'explicit')
    const manager = (name: string): Record<string, unknown> | undefined => chains.get(name)?.filters?.[0]?.typedConfig
    assert.equal(manager('8080/mtls')?.['forwardClientCertDetails'], 'SANITIZE_SET')
    // SANITIZE is the default, which JSON leaves out.
    assert.equal(manager('8080/plaintext')?.['forwardClientCertDetails'], undefined)
  })
})
