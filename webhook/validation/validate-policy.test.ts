import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type TypedObject, validatePolicy } from './index.ts'

const policy = (spec: unknown, apiVersion = 'security.istio.io/v1') => ({
  apiVersion,
  kind: 'PeerAuthentication',
  metadata: { name: 'p', namespace: 'shop', uid: 'u', managedFields: [] },
  spec
})

describe('a policy is accepted', () => {
  for (const version of ['security.istio.io/v1', 'security.istio.io/v1beta1'])
    it(`as ${version}`, () => {
      assert.deepEqual(validatePolicy(policy({ mtls: { mode: 'STRICT' } }, version)), { kind: 'accept', warnings: [] })
    })

  for (const [what, spec] of [
    ['no mode at all', {}],
    ['the mode UNSET', { mtls: { mode: 'UNSET' } }],
    ['only UNSET for ports', { selector: { matchLabels: { a: 'b' } }, portLevelMtls: { 80: {} } }]
  ] as const)
    it(`with a warning for ${what}`, () => {
      const result = validatePolicy(policy(spec))
      assert.equal(result.kind === 'accept' && result.warnings.length, 1)
    })

  it('without one when a port alone has a mode', () => {
    const spec = { selector: { matchLabels: { a: 'b' } }, portLevelMtls: { 80: { mode: 'DISABLE' } } }
    assert.deepEqual(validatePolicy(policy(spec)), { kind: 'accept', warnings: [] })
  })
})

describe('a policy for tokens', () => {
  const metadata = { name: 'p', namespace: 'shop' }
  const ofIstio = { apiVersion: 'security.istio.io/v1', kind: 'RequestAuthentication', metadata }
  const ours = { apiVersion: 'countersign.dev/v1', kind: 'EndUserAuthentication', metadata }
  const issuer = 'https://accounts.example'

  it('is accepted', () => {
    const spec = { issuer, audiences: ['web'] }
    assert.deepEqual(validatePolicy({ ...ours, spec } as TypedObject), { kind: 'accept', warnings: [] })
  })

  it('is accepted with the path in each warning', () => {
    const spec = { jwtRules: [{ issuer }] }
    const result = validatePolicy({ ...ofIstio, spec } as TypedObject)
    assert.deepEqual(result.kind === 'accept' && result.warnings.map(text => text.slice(0, text.indexOf(': '))), [
      'spec.jwtRules[0].audiences',
      'kind'
    ])
    // kubectl shows no more of one.
    assert.ok(result.kind === 'accept' && result.warnings.every(text => text.length <= 256))
  })

  it('is refused with every problem', () => {
    const spec = { issuer, includePaths: ['x'], methods: ['get'] }
    const result = validatePolicy({ ...ours, spec } as TypedObject)
    assert.equal(result.kind === 'refuse' && result.problems.length, 2)
  })
})

describe('a policy is refused', () => {
  it('with every problem and the path to it', () => {
    assert.deepEqual(validatePolicy(policy({ mtls: { mode: 'strict' }, ports: {} })), {
      kind: 'refuse',
      problems: [
        'spec.mtls.mode: expected one of UNSET, DISABLE, PERMISSIVE, STRICT, got "strict"; did you mean "STRICT"',
        'spec.ports: unknown field; allowed fields: selector, mtls, portLevelMtls'
      ]
    })
  })

  it('in a version that its group does not have', () => {
    assert.equal(validatePolicy(policy({}, 'security.istio.io/v2')).kind, 'refuse')
  })

  for (const [apiVersion, kind] of [
    ['security.istio.io/v1', 'WorkloadPolicy'],
    ['networking.istio.io/v1', 'PeerAuthentication'],
    ['v1', 'ConfigMap'],
    ['', '']
  ] as const)
    it(`when it is ${kind} of ${apiVersion}, naming what is supported`, () => {
      assert.deepEqual(validatePolicy({ apiVersion, kind }), {
        kind: 'unsupported',
        message: `${kind} of ${apiVersion}: expected one of security.istio.io/PeerAuthentication, security.istio.io/RequestAuthentication, countersign.dev/EndUserAuthentication`
      })
    })
})
