import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type TypedObject, validatePolicy } from './index.ts'

const policy = (spec: unknown, metadata: object = {}, more: object = {}) => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'RequestAuthentication',
  metadata: { name: 'p', namespace: 'shop', ...metadata },
  spec,
  ...more
})
const RULE = { issuer: 'https://a.test', audiences: ['a'] }
const OLD = { jwtRules: [{ ...RULE, presense: 'REQUIRED' }], selectors: { matchLabels: { app: 'web' } } }

const update = (before: unknown, after: object) => validatePolicy(after as TypedObject, before)
const problemsOf = (before: unknown, after: object): readonly string[] => {
  const result = update(before, after)
  return result.kind === 'refuse' ? result.problems.map(text => text.slice(0, text.indexOf(': '))) : []
}

describe('a policy that was stored with mistakes', () => {
  const stored = policy(OLD, { generation: 2, managedFields: [] })
  const unchanged: Readonly<Record<string, object>> = {
    'a finalizer': { finalizers: ['x.test/wait'] },
    'no finalizer any more, while it is being deleted': { finalizers: [], deletionTimestamp: '2026-01-01T00:00:00Z' },
    'a label': { labels: { team: 'a' } },
    'an annotation of others': { annotations: { 'x.test/y': 'z' } },
    'an owner': { ownerReferences: [{}] }
  }
  for (const [what, metadata] of Object.entries(unchanged))
    it(`can be given ${what}, and its author is told`, () => {
      const result = update(stored, policy(OLD, metadata))
      assert.ok(result.kind === 'accept')
      assert.match(result.warnings[0] ?? '', /stays closed until they are corrected$/)
      assert.equal(result.warnings.length, 3)
    })

  it('can have another status', () => {
    assert.equal(update(stored, policy(OLD, {}, { status: { conditions: [] } })).kind, 'accept')
  })

  it('is judged as a whole where it is created again, or where it says something else as well', () => {
    assert.deepEqual(problemsOf(undefined, policy(OLD)), ['spec.jwtRules[0].presense', 'spec.selectors'])
    assert.deepEqual(problemsOf(null, policy(OLD)), ['spec.jwtRules[0].presense', 'spec.selectors'])
    assert.deepEqual(problemsOf(policy({ ...OLD, mode: 1 }), policy(OLD, {}, { more: 1 })), ['more'])
  })

  it('keeps unknown fields as they are while others change, and gets no new ones', () => {
    const added = { ...OLD, jwtRules: [...OLD.jwtRules, { issuer: 'https://b.test', audiences: ['b'] }] }
    assert.equal(update(stored, policy(added)).kind, 'accept')
    assert.deepEqual(problemsOf(stored, policy({ ...added, targetRefs: [] })), ['spec.targetRefs'])
    assert.deepEqual(problemsOf(stored, policy({ ...OLD, selectors: { matchLabels: { app: 'x' } } })), [
      'spec.selectors'
    ])
    const nested = { ...OLD, jwtRules: [{ ...RULE, presense: 'REQUIRED', presens: 1 }] }
    assert.deepEqual(problemsOf(stored, policy(nested)), ['spec.jwtRules[0].presens'])
  })

  it('cannot move an unknown field to another place', () => {
    const moved = { ...OLD, jwtRules: [RULE, ...OLD.jwtRules] }
    assert.deepEqual(problemsOf(stored, policy(moved)), ['spec.jwtRules[1].presense'])
  })

  it('is refused with a known field that is wrong as soon as anything it says changes', () => {
    const wrong = { jwtRules: [{ ...RULE, issuer: '' }] }
    assert.equal(update(policy(wrong), policy(wrong)).kind, 'accept')
    assert.deepEqual(problemsOf(policy(wrong), policy({ ...wrong, selector: {} })), ['spec.jwtRules[0].issuer'])
  })

  it('says something else where an annotation of Countersign changes', () => {
    const exempt = { annotations: { 'countersign.dev/exempt-ports': '80' } }
    const wrong = { jwtRules: [{ ...RULE, issuer: '' }] }
    assert.equal(update(policy(wrong), policy(wrong, exempt)).kind, 'refuse')
  })

  for (const before of ['x', 1, [], {}, { spec: null }])
    it(`is judged as new beside ${JSON.stringify(before)}`, () =>
      assert.deepEqual(problemsOf(before, policy(OLD)), ['spec.jwtRules[0].presense', 'spec.selectors']))

  it('is judged, and ends nothing, where it is nested without end', () => {
    const deep = JSON.parse(`${'['.repeat(20_000)}${']'.repeat(20_000)}`)
    assert.equal(update(policy({ more: deep }), policy({ more: deep, a: 1 })).kind, 'refuse')
  })
})

describe('an update to a policy without mistakes', () => {
  it('is judged like a new one', () => {
    const good = { jwtRules: [RULE] }
    assert.deepEqual(problemsOf(policy(good), policy(OLD)), ['spec.jwtRules[0].presense', 'spec.selectors'])
    assert.deepEqual(update(policy(OLD), policy({ jwtRules: [{ ...RULE, presence: 'REQUIRED' }] })), {
      kind: 'accept',
      warnings: []
    })
  })
})
