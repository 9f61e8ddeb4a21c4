import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MutualTlsMode, Protocol, type Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { resourceJson } from '../../test/envoy/index.ts'
import { explicitInboundListeners } from './explicit-inbound.ts'
import { newWorkload } from './fixtures.test-support.ts'
import { type Chain, chainsOf, namesOf } from './inbound-chains.test-support.ts'
import { redirectInboundListener } from './redirect-inbound.ts'

const { HTTP, HTTP2, TCP, TLS, UNSPECIFIED } = Protocol
const { STRICT, PERMISSIVE, DISABLE } = MutualTlsMode

const EVERY_PROTOCOL = [UNSPECIFIED, HTTP, HTTP2, TCP, TLS]
const EVERY_MODE = [STRICT, PERMISSIVE, DISABLE]

const workloadOf = (protocol: Protocol, mode: MutualTlsMode): Workload =>
  newWorkload({ ports: [{ number: 8080, protocol }], mode })

const STRICT_UNKNOWN = ['mtls-marked-http', 'mtls-marked', 'mtls-unmarked-http', 'mtls-unmarked']
const DISABLED_UNKNOWN = ['plaintext-http', 'untouched', 'untouched-tls']
const PERMISSIVE_UNKNOWN = ['mtls-marked-http', 'mtls-marked', ...DISABLED_UNKNOWN]

/** What of a connection gets in: `mutual TLS`, `clear` or nothing. */
const CASES: readonly { title: string; protocol: Protocol; mode: MutualTlsMode; chains: readonly string[] }[] = [
  { title: 'strict HTTP takes TLS only', protocol: HTTP, mode: STRICT, chains: ['mtls'] },
  { title: 'strict HTTP/2 takes TLS only', protocol: HTTP2, mode: STRICT, chains: ['mtls'] },
  { title: 'permissive HTTP takes both', protocol: HTTP, mode: PERMISSIVE, chains: ['mtls', 'plaintext'] },
  { title: 'disabled HTTP ends no TLS', protocol: HTTP, mode: DISABLE, chains: ['plaintext', 'untouched-tls'] },
  { title: 'strict TCP takes TLS only', protocol: TCP, mode: STRICT, chains: ['mtls-marked', 'mtls-unmarked'] },
  {
    title: 'permissive TCP ends every TLS, for its application speaks none',
    protocol: TCP,
    mode: PERMISSIVE,
    chains: ['mtls-marked', 'mtls-unmarked', 'untouched']
  },
  {
    title: 'disabled TCP touches nothing',
    protocol: TCP,
    mode: DISABLE,
    chains: ['untouched', 'untouched-tls']
  },
  { title: 'strict TLS wants the TLS of the mesh around it', protocol: TLS, mode: STRICT, chains: ['mtls-marked'] },
  {
    title: 'permissive TLS is passed on',
    protocol: TLS,
    mode: PERMISSIVE,
    chains: ['mtls-marked', 'untouched', 'untouched-tls']
  },
  { title: 'disabled TLS is passed on', protocol: TLS, mode: DISABLE, chains: ['untouched', 'untouched-tls'] },
  { title: 'strict, if nothing was said, takes TLS only', protocol: UNSPECIFIED, mode: STRICT, chains: STRICT_UNKNOWN },
  {
    title: 'permissive, if nothing was said, ends the TLS of the mesh and passes on that of the application',
    protocol: UNSPECIFIED,
    mode: PERMISSIVE,
    chains: PERMISSIVE_UNKNOWN
  },
  {
    title: 'disabled, if nothing was said, ends no TLS',
    protocol: UNSPECIFIED,
    mode: DISABLE,
    chains: DISABLED_UNKNOWN
  },
  { title: 'an unspecified mode is strict', protocol: HTTP, mode: MutualTlsMode.UNSPECIFIED, chains: ['mtls'] },
  { title: 'a mode from the future is strict', protocol: HTTP, mode: 99 as MutualTlsMode, chains: ['mtls'] },
  {
    title: 'a protocol from the future is as if nothing was said',
    protocol: 99 as Protocol,
    mode: STRICT,
    chains: STRICT_UNKNOWN
  }
]

const ONLY_1_3 = {
  tlsMinimumProtocolVersion: 'TLSv1_3',
  tlsMaximumProtocolVersion: 'TLSv1_3',
  ecdhCurves: ['X25519MLKEM768', 'X25519', 'P-256']
}

/** A chain, and what it says of versions of TLS apart from it. */
function apart(chain: Chain | undefined): { parameters: Record<string, unknown> | undefined; rest: Chain | undefined } {
  const rest = structuredClone(chain)
  const common = rest?.transportSocket?.typedConfig['commonTlsContext'] as Record<string, object> | undefined
  const parameters = common?.['tlsParams'] as Record<string, unknown> | undefined
  delete common?.['tlsParams']
  return { parameters, rest }
}

describe('the filter chains of a port', () => {
  for (const { title, protocol, mode, chains } of CASES)
    it(title, () => {
      const workload = workloadOf(protocol, mode)
      for (const kind of ['redirect', 'explicit'] as const) {
        assert.deepEqual(namesOf(chainsOf(workload, kind), '8080'), chains, kind)
      }
    })

  it('asks for a client certificate wherever it ends TLS, and nowhere else', () => {
    for (const protocol of EVERY_PROTOCOL)
      for (const mode of EVERY_MODE)
        for (const [name, chain] of chainsOf(workloadOf(protocol, mode), 'redirect')) {
          const tls = chain.transportSocket?.typedConfig
          assert.equal(tls !== undefined, name.includes('/mtls'), name)
          if (tls === undefined) continue
          assert.equal(tls['requireClientCertificate'], true)
          assert.equal(tls['disableStatelessSessionResumption'], true)
          assert.equal(tls['disableStatefulSessionResumption'], true)
          const common = tls['commonTlsContext'] as Record<string, Record<string, unknown>>
          assert.deepEqual(common['tlsParams'], ONLY_1_3)
          assert.equal(common['validationContextSdsSecretConfig']?.['name'], 'ALL')
        }
  })

  it('has chains of the same name and bytes in every mode, so that a change of mode leaves connections alone', () => {
    for (const protocol of EVERY_PROTOCOL) {
      const [strict, permissive, disabled] = EVERY_MODE.map(mode => chainsOf(workloadOf(protocol, mode), 'redirect'))
      for (const [name, chain] of permissive ?? [])
        for (const other of [strict, disabled]) {
          const same = other?.get(name)
          if (same !== undefined) assert.deepEqual(same, chain, name)
        }
      assert.ok([...(strict?.keys() ?? [])].some(name => name.startsWith('8080/mtls') && permissive?.has(name)))
      // What is in the clear goes on, whether or not mutual TLS is offered beside it.
      for (const name of namesOf(disabled ?? new Map(), '8080'))
        if (name !== 'untouched-tls') assert.ok(permissive?.has(`8080/${name}`), name)
    }
  })

  it('has chains of the same name and bytes whatever is declared, so that bytes flow on when it is', () => {
    for (const kind of ['redirect', 'explicit'] as const)
      for (const mode of EVERY_MODE) {
        const before = chainsOf(workloadOf(UNSPECIFIED, mode), kind)
        for (const protocol of [TCP, TLS]) {
          const after = chainsOf(workloadOf(protocol, mode), kind)
          const kept = namesOf(after, '8080').filter(name => before.has(`8080/${name}`))
          assert.ok(kept.includes(mode === DISABLE ? 'untouched' : 'mtls-marked'))
          for (const name of kept) assert.deepEqual(after.get(`8080/${name}`), before.get(`8080/${name}`), name)
        }
      }
  })

  it('takes TLS 1.2 where clients without a proxy come, if that is allowed, and is the same otherwise', () => {
    let changed = 0
    for (const kind of ['redirect', 'explicit'] as const)
      for (const protocol of EVERY_PROTOCOL)
        for (const mode of EVERY_MODE) {
          const workload = workloadOf(protocol, mode)
          const [newer, older] = [chainsOf(workload, kind), chainsOf(workload, kind, '1.2')]
          assert.deepEqual([...older.keys()], [...newer.keys()])
          for (const [name, chain] of older) {
            const { parameters, rest } = apart(chain)
            assert.deepEqual(rest, apart(newer.get(name)).rest, name)
            if (!/\/mtls(-unmarked(-http)?)?$/.test(name)) {
              assert.deepEqual(chain, newer.get(name), name)
              continue
            }
            changed++
            const { cipherSuites, signatureAlgorithms, ...versions } = parameters ?? {}
            assert.deepEqual(versions, { ...ONLY_1_3, tlsMinimumProtocolVersion: 'TLSv1_2' }, name)
            for (const suite of cipherSuites as string[]) assert.match(suite, /^ECDHE-ECDSA-.*(GCM|POLY1305)/)
            assert.ok((signatureAlgorithms as string[]).every(algorithm => /_sha(256|384|512)$/.test(algorithm)))
          }
        }
    assert.ok(changed > 0)
  })

  it('is made once for each workload and version', () => {
    const workload = workloadOf(HTTP, PERMISSIVE)
    assert.equal(redirectInboundListener(workload, '1.2'), redirectInboundListener(workload, '1.2'))
    assert.equal(explicitInboundListeners(workload, '1.2'), explicitInboundListeners(workload, '1.2'))
    assert.notEqual(redirectInboundListener(workload, '1.2').version, redirectInboundListener(workload, '1.3').version)
  })

  it('changes no chain but the black hole when only the reason is another', () => {
    const because = (reason: string) =>
      newWorkload({ ports: [{ number: 8080, protocol: HTTP, reason }], mode: PERMISSIVE })
    for (const kind of ['redirect', 'explicit'] as const) {
      const [one, other] = ['one', 'other'].map(reason => chainsOf(because(reason), kind))
      assert.notDeepEqual(one?.get('black-hole'), other?.get('black-hole'))
      for (const chains of [one, other]) chains?.delete('black-hole')
      assert.deepEqual(one, other)
    }
  })

  it('says what each port was taken for and why, for whoever reads the configuration', () => {
    const workload = newWorkload({
      ports: [
        { number: 8080, protocol: HTTP, reason: 'port name "http" of Service shop/orders' },
        { number: 8081, protocol: 99 as Protocol, reason: 'something new' }
      ],
      portModes: { 9090: STRICT }
    })
    const note = chainsOf(workload, 'redirect').get('black-hole')
    assert.deepEqual(note?.metadata, {
      filterMetadata: {
        'countersign.dev/ports': {
          8080: 'HTTP: port name "http" of Service shop/orders',
          8081: '99: something new',
          9090: 'UNSPECIFIED: only a policy names it'
        }
      }
    })
    // It closes what is sent to the proxy's own port, and nothing else.
    assert.deepEqual(note?.filterChainMatch, { destinationPort: 15006 })
    assert.equal(note?.filters, undefined)
  })

  it('recognises HTTP where nothing was said, and nowhere else', () => {
    for (const mode of EVERY_MODE)
      for (const protocol of EVERY_PROTOCOL)
        for (const [name, chain] of chainsOf(workloadOf(protocol, mode), 'explicit'))
          assert.equal(
            chain.filterChainMatch?.['applicationProtocols'] !== undefined,
            protocol === UNSPECIFIED && name.endsWith('-http'),
            `${Protocol[protocol]} ${name}`
          )
  })

  it('changes nothing of a listener but its chains, whatever ports and modes a workload has', () => {
    const rest = (workload: Workload): object => ({
      ...resourceJson(redirectInboundListener(workload, '1.3')),
      filterChains: []
    })
    const first = rest(newWorkload({ mode: STRICT }))
    for (const mode of EVERY_MODE)
      for (const protocol of EVERY_PROTOCOL) assert.deepEqual(rest(workloadOf(protocol, mode)), first)
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
    assert.deepEqual(namesOf(chainsOf(workload, 'redirect'), '9090'), DISABLED_UNKNOWN)
  })

  it('is strict on undeclared ports of a strict workload', () => {
    const names = (mode: MutualTlsMode) => namesOf(chainsOf(newWorkload({ mode }), 'redirect'), 'undeclared')
    assert.deepEqual(names(STRICT), STRICT_UNKNOWN)
    assert.deepEqual(names(PERMISSIVE), PERMISSIVE_UNKNOWN)
    assert.deepEqual(names(DISABLE), DISABLED_UNKNOWN)
  })

  it("has no chain for the proxy's own ports and for none that is no port", () => {
    const wrong = [0, 15001, 15006, 15020, 15021, 15090, 65_536]
    const workload = newWorkload({ ports: wrong.map(number => ({ number, protocol: HTTP })), mode: PERMISSIVE })
    assert.deepEqual(
      [...chainsOf(workload, 'redirect').keys()],
      ['black-hole', 'black-hole-outbound', ...PERMISSIVE_UNKNOWN.map(name => `undeclared/${name}`)]
    )
    assert.deepEqual([...chainsOf(workload, 'explicit').keys()], [])
  })

  it('tells an application who calls where that is proven, and takes the claim away where it is not', () => {
    // SANITIZE is the default, which JSON leaves out.
    const told: readonly [Protocol, MutualTlsMode, string, 'SANITIZE_SET' | undefined][] = [
      [HTTP, PERMISSIVE, 'mtls', 'SANITIZE_SET'],
      [HTTP, PERMISSIVE, 'plaintext', undefined],
      [UNSPECIFIED, STRICT, 'mtls-marked-http', 'SANITIZE_SET'],
      [UNSPECIFIED, STRICT, 'mtls-unmarked-http', 'SANITIZE_SET'],
      [UNSPECIFIED, PERMISSIVE, 'plaintext-http', undefined]
    ]
    for (const [protocol, mode, name, expected] of told) {
      const filter = chainsOf(workloadOf(protocol, mode), 'explicit').get(`8080/${name}`)?.filters?.[0]
      assert.match(String(filter?.typedConfig['@type']), /HttpConnectionManager$/)
      assert.equal(filter?.typedConfig['forwardClientCertDetails'], expected, name)
    }
  })
})
