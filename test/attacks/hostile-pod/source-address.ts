// The source address of what a proxy delivers: whom applications take its callers for, and who else can have it.

import assert from 'node:assert/strict'
import { BlockList, isIPv6 } from 'node:net'
import { describe, it } from 'node:test'
import { fastify } from 'fastify'
import { newRoot, newState, newSvid, newWorkload, spiffeId } from '../../../agent/proxy/fixtures.test-support.ts'
import { composeSnapshot } from '../../../agent/proxy/index.ts'
import { iptablesChains } from '../../../node/capture/iptables-text.ts'
import { nftablesText } from '../../../node/capture/nftables-text.ts'
import { captureRuleset } from '../../../node/capture/ruleset.ts'
import { type Exclusions, NO_EXCLUSIONS } from '../../../shared/exclusions/index.ts'
import type { Probe } from '../../../shared/probes/index.ts'
import { TYPE } from '../../../shared/xds/index.ts'
import { resourceJson } from '../../envoy/resource-json.ts'
import { TRUSTED_RANGES } from '../trusted-ranges.ts'

const familyOf = (address: string): 'ipv4' | 'ipv6' => (isIPv6(address) ? 'ipv6' : 'ipv4')

const rangesOf = (list: readonly string[]): BlockList => {
  const ranges = new BlockList()
  for (const range of list) {
    const [address = '', length] = range.split('/')
    ranges.addSubnet(address, Number(length), familyOf(address))
  }
  return ranges
}
const trusted = rangesOf(TRUSTED_RANGES)
// RFC 5737, RFC 3849.
const documentation = rangesOf(['192.0.2.0/24', '2001:db8::/32'])

const PODS: Readonly<Record<string, readonly string[]>> = {
  IPv4: ['10.1.0.7'],
  IPv6: ['fd00:1::7'],
  'IPv4 first': ['10.1.0.7', 'fd00:1::7'],
  'IPv6 first': ['fd00:1::7', '10.1.0.7']
}
const PROBES: readonly Probe[] = [
  {
    ...{
      container: 'api',
      kind: 'readiness',
      protocol: 'http',
      port: 8080,
      path: '/ready',
      scheme: 'HTTP',
      headers: []
    }
  },
  { container: 'api', kind: 'liveness', protocol: 'tcp', port: 8081 },
  { container: 'api', kind: 'startup', protocol: 'grpc', port: 8082, service: '' }
]

/** The source addresses that a proxy connects from, cluster by cluster. */
async function sourcesOf(addresses: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
  const root = await newRoot()
  const { types } = composeSnapshot(newState({ roots: [root] }), {
    workload: newWorkload({ addresses: [...addresses] }),
    svid: await newSvid(root, spiffeId('shop', 'orders')),
    interception: { kind: 'redirect' },
    probes: PROBES
  })
  const found = new Map<string, string[]>()
  for (const [name, resource] of types.get(TYPE.cluster) ?? []) {
    const { upstreamBindConfig } = resourceJson(resource)
    const texts = JSON.stringify(upstreamBindConfig ?? {}).matchAll(/"address":"([^"]+)"/g)
    const sources = [...texts].map(([, address = '']) => address)
    if (sources.length > 0) found.set(name, sources)
  }
  return found
}

describe('the source address of deliveries', () => {
  for (const [pod, addresses] of Object.entries(PODS))
    it(`a hostile pod cannot be taken for a local caller by an application with ${pod}`, async test => {
      const clusters = await sourcesOf(addresses)
      assert.ok(clusters.size >= 2 + PROBES.length, [...clusters.keys()].join())
      const families = new Set(addresses.map(familyOf))
      let count = 0
      for (const [name, sources] of clusters) {
        if (name.startsWith('inbound')) assert.deepEqual(new Set(sources.map(familyOf)), families)
        for (const source of sources) {
          assert.ok(documentation.check(source, familyOf(source)), `${name}: ${source}`)
          assert.ok(!trusted.check(source, familyOf(source)), `${name}: ${source}`)
          count++
        }
      }
      test.diagnostic(`${count} source addresses of ${clusters.size} clusters are trusted by nobody`)
    })

  it('a hostile pod cannot forge its address, scheme or host for an application that trusts local proxies', async test => {
    const sources = new Set(
      (await Promise.all(Object.values(PODS).map(sourcesOf))).flatMap(one => [...one.values()].flat())
    )
    const trusts: readonly (string | readonly string[])[] = [
      ...['loopback', 'linklocal', 'uniquelocal', 'loopback, linklocal, uniquelocal'],
      TRUSTED_RANGES
    ]
    const chains = ['127.0.0.1', '10.0.0.1', '203.0.113.9', '::1', '127.0.0.1, 10.0.0.1', '192.0.2.6', '2001:db8::6']
    let count = 0
    for (const trust of trusts) {
      const app = fastify({ trustProxy: typeof trust === 'string' ? trust : [...trust] })
      app.get('/', async ({ ip, protocol, host }) => ({ ip, protocol, host }))
      const believed = async (remoteAddress: string, chain: string) => {
        const headers = {
          host: 'orders.shop',
          ...{ 'x-forwarded-for': chain, 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example' }
        }
        return (await app.inject({ url: '/', remoteAddress, headers })).json() as object
      }
      for (const source of sources)
        for (const peer of familyOf(source) === 'ipv4' ? [source, `::ffff:${source}`] : [source])
          for (const chain of chains) {
            assert.deepEqual(await believed(peer, chain), { ip: peer, protocol: 'http', host: 'orders.shop' })
            count++
          }
      await app.close()
    }
    test.diagnostic(`${count} forged headers are not believed`)
  })

  it('a hostile pod cannot pass capture of another pod with the source address of its deliveries', test => {
    const exclusions: readonly Exclusions[] = [
      NO_EXCLUSIONS,
      { ...NO_EXCLUSIONS, inboundPorts: [22], outboundPorts: [5432] },
      { ...NO_EXCLUSIONS, interfaces: ['net1'], outboundUsers: [0] },
      { ...NO_EXCLUSIONS, outboundCidrs: [{ family: 'ip', text: '192.0.2.0/24' }] }
    ]
    let count = 0
    for (const options of exclusions) {
      const ruleset = captureRuleset(options)
      for (const { hook, rules } of ruleset.chains)
        for (const { match, why } of rules) {
          // What an address lets pass, a socket of the pod itself has sent, over lo.
          if (match.source !== undefined) assert.deepEqual([hook, match.via], ['output', 'lo'], why)
          count++
        }
      for (const line of nftablesText(ruleset).split('\n'))
        if (line.includes(' saddr ')) assert.match(line, /^ {4}oifname "lo" ip6? saddr \S+ return /)
      for (const family of ['ip', 'ip6'] as const)
        for (const { name, rules } of iptablesChains(ruleset, family))
          for (const { text } of rules)
            if (/(^| )-s /.test(text)) assert.match(`${name} ${text}`, /^COUNTERSIGN_OUTBOUND -s \S+ -o lo /)
    }
    test.diagnostic(`${count} rules look at a source address only where packets leave the pod's own sockets`)
  })
})
