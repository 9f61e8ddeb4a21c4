import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Protocol } from '../proto/gen/countersign/mesh/v1/mesh_pb.js'
import { type Claim, heldProtocol } from './index.ts'

type Declared = keyof typeof Protocol | 'nothing'

const claim = (declared: Declared, index: number): Claim => ({
  object: `Service shop/${index}`,
  field: `port name "${declared.toLowerCase()}"`,
  ...(declared === 'nothing' ? {} : { protocol: Protocol[declared] })
})

/** What holds without and with a policy on end users. */
const rows: readonly (readonly [claims: readonly Declared[], free: Declared, checked: Declared])[] = [
  [[], 'UNSPECIFIED', 'UNSPECIFIED'],
  [['nothing'], 'UNSPECIFIED', 'UNSPECIFIED'],
  [['TCP'], 'TCP', 'TCP'],
  [['TLS', 'TCP'], 'TLS', 'TLS'],
  [['TCP', 'TLS'], 'TCP', 'TCP'],
  [['TCP', 'nothing'], 'TCP', 'UNSPECIFIED'],
  [['nothing', 'TLS'], 'TLS', 'UNSPECIFIED'],
  [['TCP', 'UNSPECIFIED'], 'TCP', 'UNSPECIFIED'],
  [['UNSPECIFIED', 'TCP'], 'UNSPECIFIED', 'UNSPECIFIED'],
  [['TCP', 'HTTP'], 'HTTP', 'HTTP'],
  [['HTTP', 'TCP'], 'HTTP', 'HTTP'],
  [['nothing', 'HTTP'], 'HTTP', 'HTTP'],
  [['UNSPECIFIED', 'HTTP2'], 'HTTP2', 'HTTP2'],
  [['HTTP2', 'HTTP2', 'TLS'], 'HTTP2', 'HTTP2'],
  [['HTTP2', 'TCP', 'HTTP'], 'HTTP', 'HTTP'],
  [['HTTP', 'HTTP2'], 'HTTP', 'HTTP']
]

describe('the protocol of a port that several objects declare', () => {
  for (const [declared, free, checked] of rows)
    it(`is ${free}, and ${checked} under a policy on end users, for ${declared.join(', ') || 'no declaration'}`, () => {
      const claims = declared.map(claim)
      assert.equal(Protocol[heldProtocol(claims, false).protocol], free)
      assert.equal(Protocol[heldProtocol(claims, true).protocol], checked)
    })

  it('has the field and the object that declare it', () =>
    assert.equal(heldProtocol([claim('TCP', 0), claim('HTTP', 1)], true).reason, 'port name "http" of Service shop/1'))
})
