import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  checkEndUserAuthentication,
  checkPeerAuthentication,
  checkRequestAuthentication,
  describeIssue
} from './index.ts'

const peer = (rest: string): unknown =>
  JSON.parse(
    `{"apiVersion":"security.istio.io/v1","kind":"PeerAuthentication","metadata":{"name":"p","namespace":"shop"},${rest}}`
  )

/** What is wrong with it; each as a sentence. */
function issuesOf(object: unknown): readonly string[] {
  const result = checkPeerAuthentication(object)
  assert.ok(!result.ok, 'accepted')
  return result.issues.map(describeIssue)
}

describe('an object that a schema passes over or cannot judge is refused', () => {
  const places: Readonly<Record<string, string>> = {
    'beside spec': '"__proto__":{}',
    'in spec': '"spec":{"__proto__":{"mtls":1}}',
    'in a selector': '"spec":{"selector":{"__proto__":{}}}',
    'as a label': '"spec":{"selector":{"matchLabels":{"__proto__":"x"}}}',
    'as a port': '"spec":{"selector":{"matchLabels":{"a":"b"}},"portLevelMtls":{"__proto__":{}}}'
  }
  for (const [place, rest] of Object.entries(places))
    it(`with a key __proto__ ${place}`, () => {
      const [issue] = issuesOf(peer(rest))
      assert.match(issue ?? '', /__proto__: not allowed as a key$/)
    })

  it('with more levels than a program can call itself', () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}']
    ] as const)
      for (const depth of [50, 5_000, 100_000]) {
        const inner = open === '[' ? '' : '1'
        const text = `"spec":{"selector":${open.repeat(depth)}${inner}${close.repeat(depth)}}`
        assert.deepEqual(issuesOf(peer(text)), [
          `spec.selector${open === '[' ? '[0]' : '.a'}: expected at most 32 levels, got more`
        ])
      }
  })

  it('with more fields than anybody judges one by one', () => {
    const fields = Array.from({ length: 100_000 }, (_, index) => `"f${index}":1`).join()
    assert.deepEqual(issuesOf(peer(`"spec":{${fields}}`)), ['spec: expected at most 256 fields, got 100000'])
  })

  it('with a key as long as a page', () => {
    const [issue, ...others] = issuesOf(peer(`"spec":{"${'x'.repeat(1_000_000)}":1}`))
    assert.deepEqual([issue, others], ['spec: expected keys of at most 512 characters, got one of 1000000', []])
  })

  it('without a list of mistakes that has no end', () => {
    const ports = Object.fromEntries(Array.from({ length: 60_000 }, (_, index) => [index + 1, { mode: 'strict' }]))
    const spec = { selector: { matchLabels: { a: 'b' } }, portLevelMtls: ports }
    assert.equal(
      issuesOf({ apiVersion: 'security.istio.io/v1', kind: 'PeerAuthentication', metadata: { name: 'p' }, spec })
        .length,
      32
    )
  })

  it('and what others write is not judged', () => {
    const deep = `${'['.repeat(1_000)}${']'.repeat(1_000)}`
    assert.ok(checkPeerAuthentication(peer(`"status":{"__proto__":${deep}},"spec":{}`)).ok)
  })
})

describe('an unknown field', () => {
  it('is told from a known one with a wrong value', () => {
    const result = checkPeerAuthentication(peer('"spec":{"mtls":{"mode":"strict","modes":1},"selectors":{}}'))
    assert.ok(!result.ok)
    assert.deepEqual(
      result.issues.map(({ path, unknownField = false }) => [path.join('.'), unknownField]),
      [
        ['spec.mtls.mode', false],
        ['spec.mtls.modes', true],
        ['spec.selectors', true]
      ]
    )
  })

  it('in the spelling of protobuf is said in ours', () => {
    const [issue] = issuesOf(peer('"spec":{"port_level_mtls":{}}'))
    assert.match(issue ?? '', /did you mean "portLevelMtls"/)
  })

  // istio.io/api 1.32.0: what its kinds have and ours do not support, with what to do instead.
  const unsupported: Readonly<
    Record<
      string,
      readonly [
        check: typeof checkPeerAuthentication | typeof checkRequestAuthentication | typeof checkEndUserAuthentication,
        kind: string,
        apiVersion: string,
        fields: readonly string[]
      ]
    >
  > = {
    PeerAuthentication: [
      checkPeerAuthentication,
      'PeerAuthentication',
      'security.istio.io/v1',
      ['targetRef', 'targetRefs']
    ],
    RequestAuthentication: [
      checkRequestAuthentication,
      'RequestAuthentication',
      'security.istio.io/v1beta1',
      ['targetRef', 'targetRefs']
    ],
    EndUserAuthentication: [
      checkEndUserAuthentication,
      'EndUserAuthentication',
      'countersign.dev/v1',
      ['targetRef', 'targetRefs', 'presence', 'jwtRules', 'jwks_uri', 'spaceDelimitedClaims']
    ]
  }
  for (const [title, [check, kind, apiVersion, fields]] of Object.entries(unsupported))
    for (const name of fields)
      it(`of Istio's is refused by name, with what to do instead: ${name} of ${title}`, () => {
        const result = check({
          apiVersion,
          kind,
          metadata: { name: 'p' },
          spec: { issuer: 'https://a.test', [name]: [] }
        })
        assert.ok(!result.ok)
        const issue = result.issues.find(({ path }) => path.at(-1) === name)
        assert.equal(issue?.unknownField, true)
        assert.match(issue?.message ?? '', /^not (supported|here): /)
      })
})
