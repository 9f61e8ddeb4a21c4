import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { unreadablePolicy } from './index.ts'

const ISSUE = { path: ['spec', 'selectors'], message: 'unknown field' }
const read = (object: unknown) => unreadablePolicy('PeerAuthentication', object, [ISSUE])
const withSpec = (spec: unknown) => read({ metadata: { name: 'p', namespace: 'shop', generation: 3 }, spec })

describe('a policy that cannot be understood', () => {
  it('has its name, and what is wrong with it', () => {
    assert.deepEqual(withSpec({}), {
      kind: 'PeerAuthentication',
      namespace: 'shop',
      name: 'p',
      generation: 3,
      issues: ['spec.selectors: unknown field']
    })
  })

  it('selects by its selector if all of that is understood', () => {
    const { selector } = withSpec({ selector: { matchLabels: { app: 'web' } }, mtls: 'x' })
    assert.deepEqual(selector, { app: 'web' })
  })

  const whole: Readonly<Record<string, unknown>> = {
    'no spec': undefined,
    'a spec that is text': 'x',
    'a spec that is a list': [{ selector: { matchLabels: { app: 'web' } } }],
    'no selector': {},
    'a selector that is misspelled': { selectors: { matchLabels: { app: 'web' } } },
    'a selector that is null': { selector: null },
    'a selector without labels': { selector: {} },
    'a selector with no label in it': { selector: { matchLabels: {} } },
    'labels that are misspelled': { selector: { matchLabel: { app: 'web' } } },
    'labels as a list': { selector: { matchLabels: [{ app: 'web' }] } },
    'labels beside expressions': { selector: { matchLabels: { app: 'web' }, matchExpressions: [] } },
    'a label that is no text': { selector: { matchLabels: { app: 1 } } },
    'a label with a wildcard': { selector: { matchLabels: { app: 'w*' } } },
    'a key that is reserved': JSON.parse('{"selector":{"matchLabels":{"__proto__":"x","app":"web"}}}')
  }
  for (const [what, spec] of Object.entries(whole))
    it(`selects all of its namespace with ${what}`, () => assert.equal(withSpec(spec).selector, undefined))

  it('is in the namespace default where none is named, and in every one where that cannot be read', () => {
    assert.equal(read({ metadata: { name: 'p' } }).namespace, 'default')
    for (const object of [undefined, null, 'x', [], {}, { metadata: 1 }, { metadata: { namespace: 5 } }])
      assert.equal(read(object).namespace, '')
    for (const namespace of ['', 'Shop', 'a/b', 'x'.repeat(64)])
      assert.equal(read({ metadata: { name: 'p', namespace } }).namespace, '')
  })

  it('says no more than a condition can hold', () => {
    const issues = Array.from({ length: 500 }, () => ({ path: ['x'.repeat(5_000)], message: 'y'.repeat(5_000) }))
    const said = unreadablePolicy('PeerAuthentication', { metadata: { name: 'n'.repeat(10_000) } }, issues)
    assert.equal(said.issues.length, 6)
    assert.equal(said.issues.at(-1), '495 more')
    assert.ok(said.issues.every(({ length }) => length <= 300))
    assert.equal(said.name.length, 253)
  })

  it('always says that something is wrong', () => {
    assert.equal(unreadablePolicy('PeerAuthentication', {}, []).issues.length, 1)
  })
})
