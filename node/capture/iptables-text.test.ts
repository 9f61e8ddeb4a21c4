import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Exclusions, NO_EXCLUSIONS } from '../../shared/exclusions/index.ts'
import { readListing } from './iptables-listing.ts'
import { iptablesChains, iptablesRemoval, iptablesText } from './iptables-text.ts'
import { captureRuleset, type Family } from './ruleset.ts'

const EMPTY = readListing('')

const rules = (name: string, options: Partial<Exclusions> = {}, family: Family = 'ip'): string[] =>
  iptablesChains(captureRuleset({ ...NO_EXCLUSIONS, ...options }), family)
    .filter(chain => chain.name === `COUNTERSIGN_${name}`)
    .flatMap(chain => chain.rules.map(({ text }) => text.replace(/ -m comment --comment "[^"]*"/, '')))

const listing = (lines: string): ReturnType<typeof readListing> =>
  readListing(
    `*nat\n:PREROUTING ACCEPT [1:60]\n:OUTPUT ACCEPT [0:0]\n:COUNTERSIGN_INBOUND - [0:0]\n:COUNTERSIGN_OLD - [0:0]\n:OTHERS - [0:0]\n${lines}\nCOMMIT\n`
  )

describe('the rules of a pod for iptables', () => {
  it('are one transaction, of IPv4', () => {
    assert.equal(
      iptablesText(iptablesChains(captureRuleset(NO_EXCLUSIONS), 'ip'), EMPTY),
      `*nat
:COUNTERSIGN_ARRIVING - [0:0]
:COUNTERSIGN_INBOUND - [0:0]
:COUNTERSIGN_OUTBOUND - [0:0]
-A COUNTERSIGN_ARRIVING -p tcp -m multiport --dports 15020,15021,15090 -m comment --comment "the proxy answers these itself" -j RETURN
-A COUNTERSIGN_ARRIVING -p tcp -m comment --comment "to the proxy, inbound" -j REDIRECT --to-ports 15006
-A COUNTERSIGN_INBOUND -i lo -m comment --comment "judged when it went out" -j RETURN
-A COUNTERSIGN_INBOUND -p tcp -m comment --comment "from outside the pod" -j COUNTERSIGN_ARRIVING
-A COUNTERSIGN_OUTBOUND -s 192.0.2.6 -o lo -m comment --comment "deliveries of the proxy, IPv4" -j RETURN
-A COUNTERSIGN_OUTBOUND -s 127.0.0.6 -o lo -m comment --comment "deliveries as before an upgrade, IPv4" -j RETURN
-A COUNTERSIGN_OUTBOUND ! -d 127.0.0.0/8 -o lo -p tcp -m owner --uid-owner 1337 -m comment --comment "the proxy calls its own pod, IPv4" -j COUNTERSIGN_ARRIVING
-A COUNTERSIGN_OUTBOUND -m owner --uid-owner 1337 -m comment --comment "the proxy calls somebody" -j RETURN
-A COUNTERSIGN_OUTBOUND -o lo -m comment --comment "within the pod" -j RETURN
-A COUNTERSIGN_OUTBOUND -p tcp -m comment --comment "to the proxy, outbound" -j REDIRECT --to-ports 15001
-I PREROUTING 1 -m comment --comment countersign -j COUNTERSIGN_INBOUND
-I OUTPUT 1 -m comment --comment countersign -j COUNTERSIGN_OUTBOUND
COMMIT
`
    )
  })

  it('differ for IPv6 in what names an address', () => {
    assert.deepEqual(rules('OUTBOUND', {}, 'ip6').slice(0, 3), [
      '-s 2001:db8::6 -o lo -j RETURN',
      '-s ::6 -o lo -j RETURN',
      '! -d ::1 -o lo -p tcp -m owner --uid-owner 1337 -j COUNTERSIGN_ARRIVING'
    ])
    for (const chain of ['ARRIVING', 'INBOUND']) assert.deepEqual(rules(chain, {}, 'ip6'), rules(chain, {}, 'ip'))
  })

  it('name at most 15 ports at once', () => {
    const inboundPorts = Array.from({ length: 31 }, (_, index) => index + 1)
    assert.deepEqual(rules('ARRIVING', { inboundPorts }).slice(1, -1), [
      '-p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15 -j RETURN',
      '-p tcp -m multiport --dports 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30 -j RETURN',
      '-p tcp -m multiport --dports 31 -j RETURN'
    ])
  })

  it('have one for each interface and each user, and for addresses of their own family', () => {
    const options: Partial<Exclusions> = {
      interfaces: ['net1', 'net2'],
      outboundUsers: [0, 2000],
      outboundCidrs: [
        { family: 'ip', text: '10.0.0.0/8' },
        { family: 'ip6', text: 'fd00::/8' }
      ],
      outboundPorts: [5432]
    }
    assert.deepEqual(rules('INBOUND', options).slice(1, -1), ['-i net1 -j RETURN', '-i net2 -j RETURN'])
    for (const [family, address] of [
      ['ip', '10.0.0.0/8'],
      ['ip6', 'fd00::/8']
    ] as const)
      assert.deepEqual(rules('OUTBOUND', options, family).slice(-8), [
        '-o lo -j RETURN',
        '-o net1 -j RETURN',
        '-o net2 -j RETURN',
        '-m owner --uid-owner 0 -j RETURN',
        '-m owner --uid-owner 2000 -j RETURN',
        `-d ${address} -j RETURN`,
        '-p tcp -m multiport --dports 5432 -j RETURN',
        '-p tcp -j REDIRECT --to-ports 15001'
      ])
  })

  it('come first: jumps that are there are taken out wherever they stand, and nothing of others', () => {
    const before = listing(
      [
        '-A PREROUTING -p udp -j OTHERS',
        '-A PREROUTING -m comment --comment countersign -j COUNTERSIGN_INBOUND',
        '-A PREROUTING -m comment --comment "not -j COUNTERSIGN_INBOUND" -j OTHERS',
        '-A PREROUTING -i eth0 -j COUNTERSIGN_OLD',
        '-A OTHERS -p udp -j RETURN'
      ].join('\n')
    )
    const text = iptablesText(iptablesChains(captureRuleset(NO_EXCLUSIONS), 'ip'), before)
    assert.deepEqual(text.split('\n').slice(-6), [
      '-D PREROUTING -m comment --comment countersign -j COUNTERSIGN_INBOUND',
      '-D PREROUTING -i eth0 -j COUNTERSIGN_OLD',
      '-I PREROUTING 1 -m comment --comment countersign -j COUNTERSIGN_INBOUND',
      '-I OUTPUT 1 -m comment --comment countersign -j COUNTERSIGN_OUTBOUND',
      'COMMIT',
      ''
    ])
    assert.doesNotMatch(text, /OTHERS/)
  })

  it('are taken away with every chain of ours that there is, and nothing of others', () => {
    const before = listing('-A PREROUTING -j COUNTERSIGN_INBOUND\n-A OUTPUT -j OTHERS')
    assert.equal(
      iptablesRemoval(before),
      `*nat
-D PREROUTING -j COUNTERSIGN_INBOUND
-F COUNTERSIGN_INBOUND
-F COUNTERSIGN_OLD
-X COUNTERSIGN_INBOUND
-X COUNTERSIGN_OLD
COMMIT
`
    )
  })

  it('are not taken away where there are none', () => {
    assert.equal(iptablesRemoval(EMPTY), undefined)
    assert.equal(iptablesRemoval(readListing(':PREROUTING ACCEPT [0:0]\n:OTHERS - [0:0]\n')), undefined)
  })
})
