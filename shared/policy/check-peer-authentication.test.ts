import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { CountersignError } from '../errors/index.ts'
import { checkPeerAuthentication, describeIssue, formatPath, parsePeerAuthentication } from './index.ts'

const HEAD = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: p, namespace: shop }
`

const issuesOf = (yaml: string): readonly string[] => {
  const result = checkPeerAuthentication(parse(yaml))
  assert.ok(!result.ok, 'expected it to be refused')
  return result.issues.map(describeIssue)
}

describe('a PeerAuthentication as Istio documents it', () => {
  it('is for the whole mesh or a namespace without a selector', () => {
    assert.deepEqual(parsePeerAuthentication(parse(`${HEAD}spec: { mtls: { mode: STRICT } }`)), {
      apiVersion: 'security.istio.io/v1',
      namespace: 'shop',
      name: 'p',
      mode: 'STRICT',
      portModes: new Map()
    })
  })

  it('is for workloads with a selector, and then knows ports', () => {
    const policy = parsePeerAuthentication(
      parse(`
apiVersion: security.istio.io/v1beta1
kind: PeerAuthentication
metadata:
  name: finance
  namespace: foo
  creationTimestamp: "2026-01-02T03:04:05Z"
  labels: { anything: goes }
spec:
  selector: { matchLabels: { app.kubernetes.io/name: finance, tier: "" } }
  mtls: { mode: STRICT }
  portLevelMtls:
    8080: { mode: DISABLE }
    9090: {}
status: { conditions: [] }
`)
    )
    assert.deepEqual(policy, {
      apiVersion: 'security.istio.io/v1beta1',
      namespace: 'foo',
      name: 'finance',
      creationTimestamp: Date.UTC(2026, 0, 2, 3, 4, 5),
      selector: { 'app.kubernetes.io/name': 'finance', tier: '' },
      mode: 'STRICT',
      portModes: new Map([
        [8080, 'DISABLE'],
        [9090, 'UNSET']
      ])
    })
    assert.ok(Object.isFrozen(policy) && Object.isFrozen(policy.selector))
  })

  const unset: Readonly<Record<string, string>> = {
    'no spec': HEAD,
    'an empty spec': `${HEAD}spec: {}`,
    'an empty mtls': `${HEAD}spec: { mtls: {} }`,
    'the word UNSET': `${HEAD}spec: { mtls: { mode: UNSET } }`
  }
  for (const [what, yaml] of Object.entries(unset))
    it(`is UNSET with ${what}`, () => assert.equal(parsePeerAuthentication(parse(yaml)).mode, 'UNSET'))

  for (const selector of ['{}', '{ matchLabels: {} }'])
    it(`has no selector with ${selector}`, () => {
      assert.equal(parsePeerAuthentication(parse(`${HEAD}spec: { selector: ${selector} }`)).selector, undefined)
    })

  it('is in the namespace default where none is written, as kubectl has it', () => {
    const yaml = HEAD.replace(', namespace: shop', ', creationTimestamp: null')
    assert.equal(parsePeerAuthentication(parse(yaml)).namespace, 'default')
  })
})

describe('a PeerAuthentication is refused', () => {
  const refusals: Readonly<Record<string, readonly [string, string]>> = {
    'for a mode in the wrong case': [
      `${HEAD}spec: { mtls: { mode: strict } }`,
      'spec.mtls.mode: expected one of UNSET, DISABLE, PERMISSIVE, STRICT, got "strict"; did you mean "STRICT"'
    ],
    'for a mode that is none': [
      `${HEAD}spec: { mtls: { mode: true } }`,
      'spec.mtls.mode: expected one of UNSET, DISABLE, PERMISSIVE, STRICT, got true'
    ],
    'for an unknown field, with the one that was meant': [
      `${HEAD}spec: { mtsl: { mode: STRICT } }`,
      'spec.mtsl: unknown field; did you mean "mtls"; allowed fields: selector, mtls, portLevelMtls'
    ],
    'for a field one level too high': [
      `${HEAD}mtls: { mode: STRICT }`,
      'mtls: unknown field; allowed fields: apiVersion, kind, metadata, spec, status'
    ],
    'for a selector without matchLabels': [
      `${HEAD}spec: { selector: { app: a } }`,
      'spec.selector.app: unknown field; allowed fields: matchLabels'
    ],
    'for ports without a selector': [
      `${HEAD}spec: { portLevelMtls: { 80: { mode: STRICT } } }`,
      'spec.portLevelMtls: only allowed together with selector.matchLabels: ports belong to workloads, not to a namespace'
    ],
    'for ports with an empty selector': [
      `${HEAD}spec: { selector: { matchLabels: {} }, portLevelMtls: { 80: { mode: STRICT } } }`,
      'spec.portLevelMtls: only allowed together with selector.matchLabels: ports belong to workloads, not to a namespace'
    ],
    'for an empty map of ports': [
      `${HEAD}spec: { selector: { matchLabels: { a: b } }, portLevelMtls: {} }`,
      'spec.portLevelMtls: expected at least one port, got {}; leave the field out'
    ],
    'for a port below the range': [
      `${HEAD}spec: { selector: { matchLabels: { a: b } }, portLevelMtls: { 0: {} } }`,
      'spec.portLevelMtls["0"]: not allowed as a key: expected a port from 1 to 65535'
    ],
    'for a port above the range': [
      `${HEAD}spec: { selector: { matchLabels: { a: b } }, portLevelMtls: { 65536: {} } }`,
      'spec.portLevelMtls["65536"]: not allowed as a key: expected a port from 1 to 65535'
    ],
    'for a port by name': [
      `${HEAD}spec: { selector: { matchLabels: { a: b } }, portLevelMtls: { http: {} } }`,
      'spec.portLevelMtls.http: not allowed as a key: expected a port from 1 to 65535'
    ],
    'for a mode right below a port': [
      `${HEAD}spec: { selector: { matchLabels: { a: b } }, portLevelMtls: { 80: STRICT } }`,
      'spec.portLevelMtls["80"]: expected an object, got "STRICT"'
    ],
    'for a wildcard as a label value': [
      `${HEAD}spec: { selector: { matchLabels: { app: "*" } } }`,
      'spec.selector.matchLabels.app: expected the value of a label, got "*"'
    ],
    'for a number as a label value': [
      `${HEAD}spec: { selector: { matchLabels: { app: 1 } } }`,
      'spec.selector.matchLabels.app: expected the value of a label, got 1'
    ],
    'for a label key that is none': [
      `${HEAD}spec: { selector: { matchLabels: { "a b": c } } }`,
      'spec.selector.matchLabels["a b"]: not allowed as a key: expected the key of a label'
    ],
    'for nothing behind a colon': [`${HEAD}spec: { mtls: }`, 'spec.mtls: expected an object, got null'],
    'for a list as the spec': [`${HEAD}spec: []`, 'spec: expected an object, got []'],
    'for another version': [
      HEAD.replace('/v1', '/v2'),
      'apiVersion: expected one of security.istio.io/v1, security.istio.io/v1beta1, got "security.istio.io/v2"; did you mean "security.istio.io/v1"'
    ],
    'for another kind': [
      HEAD.replace('PeerAuthentication', 'PeerAuthenticaton'),
      'kind: expected one of PeerAuthentication, got "PeerAuthenticaton"; did you mean "PeerAuthentication"'
    ],
    'for a name that Kubernetes would not take': [
      HEAD.replace('name: p,', 'name: My_Policy,'),
      'metadata.name: expected a name of lower-case letters, digits, dashes and dots, got "My_Policy"'
    ],
    'for no name': [
      HEAD.replace('name: p,', ''),
      'metadata.name: required: expected a name of lower-case letters, digits, dashes and dots'
    ],
    'for a namespace with a dot': [
      HEAD.replace('namespace: shop', 'namespace: shop.eu'),
      'metadata.namespace: expected the name of a namespace, got "shop.eu"'
    ],
    'for a time that is none': [
      HEAD.replace('name: p,', 'name: p, creationTimestamp: yesterday,'),
      'metadata.creationTimestamp: expected a time as in RFC 3339, got "yesterday"'
    ]
  }
  for (const [what, [yaml, expected]] of Object.entries(refusals))
    it(what, () => assert.deepEqual(issuesOf(yaml), [expected]))

  for (const [what, value] of [
    ['nothing', undefined],
    ['null', null],
    ['a word', 'x'],
    ['a list', []]
  ] as const)
    it(`when it is ${what}`, () => {
      const result = checkPeerAuthentication(value)
      assert.ok(!result.ok)
      assert.deepEqual(
        result.issues.map(issue => issue.path),
        [[]]
      )
    })

  it('with all issues together, each with a path that a YAML file can be searched by', () => {
    const yaml = `${HEAD}spec: { mtls: { mode: X, y: 1 }, portLevelMtls: { 70000: {} } }`
    const result = checkPeerAuthentication(parse(yaml))
    assert.ok(!result.ok)
    assert.deepEqual(
      result.issues.map(issue => issue.path),
      [
        ['spec', 'mtls', 'mode'],
        ['spec', 'mtls', 'y'],
        ['spec', 'portLevelMtls', '70000'],
        ['spec', 'portLevelMtls']
      ]
    )
  })

  it('without printing a page of what was written', () => {
    const [issue = ''] = issuesOf(`${HEAD}spec: { mtls: { mode: ${'x'.repeat(5_000)} } }`)
    assert.ok(issue.length < 300)
  })

  it('as one error with every issue in its message and in its facts', () => {
    assert.throws(
      () => parsePeerAuthentication({}),
      (thrown: unknown) => {
        assert.ok(thrown instanceof CountersignError)
        assert.equal(thrown.code, 'ERR_POLICY_INVALID')
        assert.equal((thrown.facts['issues'] as readonly string[]).length, 3)
        for (const field of ['apiVersion', 'kind', 'metadata']) assert.ok(thrown.message.includes(`${field}: required`))
        return true
      }
    )
  })
})

it('a path is written as people write it', () => {
  assert.equal(formatPath(['spec', 'rules', 0, 'from']), 'spec.rules[0].from')
  assert.equal(formatPath(['metadata', 'annotations', 'a/b']), 'metadata.annotations["a/b"]')
  assert.equal(formatPath([]), '')
})
