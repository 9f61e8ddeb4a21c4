import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NO_EXCLUSIONS } from '../../shared/exclusions/index.ts'
import { missingChains } from './missing-chains.ts'
import { nftablesText } from './nftables-text.ts'
import { captureRuleset } from './ruleset.ts'

const ruleset = captureRuleset({ ...NO_EXCLUSIONS, outboundPorts: [5432] })

// As nft 1.0.6 lists them: other indentation, sets of one without braces, priorities by name.
const LISTING = `table inet countersign {
	chain arriving {
		tcp dport { 15020, 15021, 15090 } return comment "the proxy answers these itself"
		meta l4proto tcp redirect to :15006 comment "to the proxy, inbound"
	}

	chain inbound {
		type nat hook prerouting priority dstnat; policy accept;
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
		tcp dport 5432 return comment "excluded outbound ports"
		meta l4proto tcp redirect to :15001 comment "to the proxy, outbound"
	}
}
`

describe('a listing of rules', () => {
  it('holds what was put in place, however nft writes it', () => {
    assert.deepEqual(missingChains(LISTING, ruleset), [])
    assert.deepEqual(missingChains(nftablesText(ruleset), ruleset), [])
  })

  const lacking: Record<string, [change: (listing: string) => string, missing: readonly string[]]> = {
    'is empty': [() => '', ['arriving', 'inbound', 'outbound']],
    'has a table without chains': [() => 'table inet countersign {\n}\n', ['arriving', 'inbound', 'outbound']],
    'has lost a rule': [text => text.replace(/^.*within the pod.*\n/m, ''), ['outbound']],
    'has lost the last rule of a chain': [text => text.replace(/^.*to the proxy, inbound.*\n/m, ''), ['arriving']],
    'has a rule too many': [text => text.replace(/^(.*judged.*\n)/m, '$1$1'), ['inbound']],
    'has rules in another order': [text => text.replace(/^(.*within the pod.*\n)(.*\n)/m, '$2$1'), ['outbound']],
    'has a rule of somebody else': [text => text.replace('within the pod', 'mine'), ['outbound']],
    'has a chain that was flushed': [text => text.replace(/^\t\tiifname[^}]*/m, ''), ['inbound']],
    'has a chain without its hook': [text => text.replace(/^.*hook prerouting.*\n/m, ''), ['inbound']],
    'has a chain at another hook': [text => text.replace('hook output', 'hook input'), ['outbound']],
    'has a chain under another name': [text => text.replace('chain outbound', 'chain outbound2'), ['outbound']]
  }
  for (const [title, [change, missing]] of Object.entries(lacking))
    it(`lacks something when it ${title}`, () => {
      assert.deepEqual(missingChains(change(LISTING), ruleset), missing)
    })

  it('lacks something when other ports are excluded than were asked for', () => {
    assert.deepEqual(missingChains(LISTING, captureRuleset(NO_EXCLUSIONS)), ['outbound'])
  })
})
