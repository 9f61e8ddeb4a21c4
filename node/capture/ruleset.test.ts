import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Exclusions, NO_EXCLUSIONS } from '../../shared/exclusions/index.ts'
import { nftablesText } from './nftables-text.ts'
import { captureRuleset } from './ruleset.ts'

const verdicts = (name: string, options: Partial<Parameters<typeof captureRuleset>[0]> = {}): string[] =>
  nftablesText(captureRuleset({ ...NO_EXCLUSIONS, ...options }))
    .split(/^ {2}chain /m)
    .filter(chain => chain.startsWith(`${name} {`))
    .flatMap(chain => [...chain.matchAll(/^ {4}(.*) comment ".*"$/gm)].map(([, rule = '']) => rule))

describe('the rules of a pod', () => {
  it('are one transaction that replaces what was there', () => {
    assert.equal(
      nftablesText(captureRuleset(NO_EXCLUSIONS)),
      `table inet countersign
delete table inet countersign
table inet countersign {
  chain arriving {
    tcp dport { 15020, 15021, 15090 } return comment "the proxy answers these itself"
    meta l4proto tcp redirect to :15006 comment "to the proxy, inbound"
  }
  chain inbound {
    type nat hook prerouting priority -100; policy accept;
    iifname "lo" return comment "judged when it went out"
    meta l4proto tcp jump arriving comment "from outside the pod"
  }
  chain outbound {
    type nat hook output priority -100; policy accept;
    oifname "lo" ip saddr 192.0.2.6 return comment "deliveries of the proxy, IPv4"
    oifname "lo" ip6 saddr 2001:db8::6 return comment "deliveries of the proxy, IPv6"
    oifname "lo" ip saddr 127.0.0.6 return comment "deliveries as before an upgrade, IPv4"
    oifname "lo" ip6 saddr ::6 return comment "deliveries as before an upgrade, IPv6"
    meta skuid 1337 oifname "lo" ip daddr != 127.0.0.0/8 meta l4proto tcp jump arriving comment "the proxy calls its own pod, IPv4"
    meta skuid 1337 oifname "lo" ip6 daddr != ::1 meta l4proto tcp jump arriving comment "the proxy calls its own pod, IPv6"
    meta skuid 1337 return comment "the proxy calls somebody"
    oifname "lo" return comment "within the pod"
    meta l4proto tcp redirect to :15001 comment "to the proxy, outbound"
  }
}
`
    )
  })

  it('exclude inbound ports for calls from outside and for those of the proxy to its own pod', () => {
    assert.deepEqual(verdicts('arriving', { inboundPorts: [22, 9100] }), [
      'tcp dport { 15020, 15021, 15090 } return',
      'tcp dport { 22, 9100 } return',
      'meta l4proto tcp redirect to :15006'
    ])
    for (const [chain, jumps] of [
      ['inbound', 1],
      ['outbound', 2]
    ] as const)
      assert.equal(verdicts(chain).filter(rule => rule.endsWith('jump arriving')).length, jumps)
  })

  it('exclude outbound addresses and ports after what concerns the proxy, before the redirection', () => {
    const rules = verdicts('outbound', {
      outboundPorts: [5432],
      outboundCidrs: [
        { family: 'ip', text: '10.0.0.0/8' },
        { family: 'ip6', text: 'fd00::/8' }
      ]
    })
    assert.deepEqual(rules.slice(-5), [
      'oifname "lo" return',
      'ip daddr 10.0.0.0/8 return',
      'ip6 daddr fd00::/8 return',
      'tcp dport { 5432 } return',
      'meta l4proto tcp redirect to :15001'
    ])
  })

  it('exclude interfaces in both directions, and nothing of what concerns the proxy', () => {
    assert.deepEqual(verdicts('inbound', { interfaces: ['net1', 'net2'] }), [
      'iifname "lo" return',
      'iifname { "net1", "net2" } return',
      'meta l4proto tcp jump arriving'
    ])
    assert.deepEqual(verdicts('outbound', { interfaces: ['net1'] }).slice(-3), [
      'oifname "lo" return',
      'oifname { "net1" } return',
      'meta l4proto tcp redirect to :15001'
    ])
    assert.deepEqual(verdicts('arriving', { interfaces: ['net1'] }), verdicts('arriving'))
  })

  it('exclude users after what concerns the proxy and what stays within the pod, in one direction', () => {
    assert.deepEqual(verdicts('outbound', { outboundUsers: [0, 2000] }).slice(-3), [
      'oifname "lo" return',
      'meta skuid { 0, 2000 } return',
      'meta l4proto tcp redirect to :15001'
    ])
    for (const chain of ['arriving', 'inbound'])
      assert.deepEqual(verdicts(chain, { outboundUsers: [2000] }), verdicts(chain))
  })

  it('may know the proxy by another user', () => {
    const users = verdicts('outbound', { proxyUid: 2102 }).flatMap(rule => /skuid (\d+)/.exec(rule)?.[1] ?? [])
    assert.deepEqual(users, ['2102', '2102', '2102'])
  })

  it('redirect nothing but TCP', () => {
    for (const chain of ['arriving', 'outbound'])
      for (const rule of verdicts(chain).filter(rule => rule.includes('redirect')))
        assert.match(rule, /^meta l4proto tcp redirect/)
  })

  it('give each reason once in its chain, short enough for nftables', () => {
    const options: Exclusions = {
      inboundPorts: [1],
      outboundPorts: [1],
      outboundCidrs: ['10.0.0.0/8', '10.1.0.0/16'].map(text => ({ family: 'ip', text })),
      interfaces: ['a', 'b'],
      outboundUsers: [1, 2]
    }
    for (const { rules } of captureRuleset(options).chains) {
      assert.equal(new Set(rules.map(({ why }) => why)).size, rules.length)
      for (const { why } of rules) assert.match(why, /^[^"\\]{1,127}$/)
    }
  })
})
