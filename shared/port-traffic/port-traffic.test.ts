import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Protocol } from '../proto/gen/countersign/mesh/v1/mesh_pb.js'
import { trafficOn } from './index.ts'

const required = { required: true, exemptPorts: [] }
const accepting = { required: false, exemptPorts: [] }
const exempting = { required: true, exemptPorts: [9090] }

const rows = [
  ['HTTP', [], 'any'],
  ['UNSPECIFIED', [], 'any'],
  ['TCP', [], 'any'],
  ['TLS', [], 'any'],
  ['HTTP', [required], 'http'],
  ['HTTP2', [required], 'http'],
  ['UNSPECIFIED', [required], 'http'],
  ['TCP', [required], 'none'],
  ['TLS', [required], 'none'],
  ['HTTP', [accepting], 'http'],
  ['UNSPECIFIED', [accepting], 'http'],
  ['TCP', [accepting], 'any'],
  ['TLS', [accepting], 'any'],
  ['TCP', [accepting, required], 'none'],
  ['UNSPECIFIED', [exempting], 'any'],
  ['TCP', [exempting], 'any'],
  ['HTTP', [exempting], 'any'],
  ['UNSPECIFIED', [exempting, accepting], 'http'],
  ['TCP', [exempting, accepting], 'any'],
  ['TCP', [exempting, required], 'none']
] as const

describe('what callers may send on port 9090', () => {
  for (const [protocol, rules, expected] of rows) {
    const policies = rules.map(rule =>
      rule === exempting ? 'required elsewhere' : rule.required ? 'required' : 'accepted'
    )
    it(`is ${expected} where ${protocol} is declared and tokens are ${policies.join(' and ') || 'not checked'}`, () =>
      assert.equal(trafficOn({ number: 9090, protocol: Protocol[protocol] }, { rules }), expected))
  }

  it('is any where no policy selects the workload', () =>
    assert.equal(trafficOn({ number: 9090, protocol: Protocol.UNSPECIFIED }, undefined), 'any'))

  it('is HTTP where a token is required and the protocol is one of a newer authority', () =>
    assert.equal(trafficOn({ number: 9090, protocol: 99 as Protocol }, { rules: [required] }), 'http'))
})
