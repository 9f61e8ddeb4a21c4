import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { EXCLUSIONS } from '../../shared/exclusions/index.ts'
import { checkAttributes } from './attributes.ts'

const EXCLUDED = {
  'countersign.dev/exclude-inbound-ports': '9100, 22',
  'countersign.dev/exclude-outbound-ports': '5432',
  'countersign.dev/exclude-outbound-cidrs': '10.0.0.0/8,fd00::/8',
  'countersign.dev/exclude-interfaces': 'net1',
  'countersign.dev/exclude-outbound-users': '2000'
}

describe('the attributes of a volume', () => {
  it('may say what is excluded from capture, in every way that there is', () => {
    const { accepted, unknown, problems } = checkAttributes({ ...EXCLUDED, 'csi.storage.k8s.io/ephemeral': 'true' })
    assert.deepEqual(accepted, EXCLUDED)
    assert.deepEqual([unknown, problems], [[], []])
    assert.deepEqual(
      Object.keys(EXCLUDED).sort(),
      Object.values(EXCLUSIONS)
        .map(({ name }) => name)
        .sort()
    )
  })

  // A tenant can write attributes by hand: nobody has judged them before.
  const refused: Readonly<Record<string, readonly [attributes: Record<string, string>, problem: RegExp]>> = {
    'a port of the proxy': [
      { 'countersign.dev/exclude-inbound-ports': '80,15006' },
      /^countersign\.dev\/exclude-inbound-ports: expected 1 to 64 entries .* 15006, .*, got "80,15006"$/
    ],
    'an outbound port that is none': [
      { 'countersign.dev/exclude-outbound-ports': '65536' },
      /exclude-outbound-ports: expected .* from 1 to 65535, got "65536"$/
    ],
    'an address without a prefix': [
      { 'countersign.dev/exclude-outbound-cidrs': '10.0.0.1' },
      /exclude-outbound-cidrs: expected .* such as 10\.0\.0\.0\/8 or fd00::\/8, got "10\.0\.0\.1"$/
    ],
    'the interface within the pod': [
      { 'countersign.dev/exclude-interfaces': 'lo' },
      /exclude-interfaces: expected .* other than lo, got "lo"$/
    ],
    'rules instead of an interface': [
      { 'countersign.dev/exclude-interfaces': 'a" accept; flush ruleset #' },
      /exclude-interfaces: expected /
    ],
    'the user of the proxy': [
      { 'countersign.dev/exclude-outbound-users': '1337' },
      /exclude-outbound-users: expected .* other than 1337, which is the proxy, got "1337"$/
    ],
    'an empty list': [{ 'countersign.dev/exclude-outbound-users': '' }, /exclude-outbound-users: expected .*, got ""$/],
    'more than is allowed, of which the start is shown': [
      { 'countersign.dev/exclude-outbound-ports': '443,'.repeat(1_000_000) },
      /got "(443,){25}"$/
    ]
  }
  for (const [what, [attributes, problem]] of Object.entries(refused))
    it(`are refused for ${what}`, () => {
      const { accepted, problems } = checkAttributes({ ...EXCLUDED, ...attributes })
      assert.equal(problems.length, 1)
      assert.match(problems[0] ?? '', problem)
      assert.deepEqual(Object.keys(accepted).length, 4)
    })

  it('of which the name is mistyped are not known, and change nothing', () => {
    const { accepted, unknown } = checkAttributes({ 'countersign.dev/exclude-ports': '80' })
    assert.deepEqual([accepted, unknown], [{}, ['countersign.dev/exclude-ports']])
  })
})
