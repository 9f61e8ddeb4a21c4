import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { checkRequestAuthentication, describeIssue, parseRequestAuthentication } from './index.ts'

const policy = (spec: unknown) => ({
  apiVersion: 'security.istio.io/v1',
  kind: 'RequestAuthentication',
  metadata: { name: 'r', namespace: 'shop' },
  spec
})
const ISSUER = 'https://accounts.example.com'

const issuesOf = (object: unknown): readonly string[] => {
  const result = checkRequestAuthentication(object)
  assert.ok(!result.ok, 'expected it to be refused')
  return result.issues.map(describeIssue)
}
const warningsOf = (object: unknown): readonly string[] => {
  const result = checkRequestAuthentication(object)
  assert.ok(result.ok)
  return result.warnings.map(describeIssue)
}

describe('a RequestAuthentication as Istio documents it', () => {
  it('exempts no port without the annotation', () => {
    for (const metadata of [{ name: 'p' }, { name: 'p', annotations: {} }, { name: 'p', annotations: null }])
      assert.deepEqual(parseRequestAuthentication({ ...policy({}), metadata }).exemptPorts, [])
  })

  it('is read with every field', () => {
    const yaml = `
apiVersion: security.istio.io/v1beta1
kind: RequestAuthentication
metadata: { name: ingress, annotations: { countersign.dev/exempt-ports: '9090, 3306', x: y } }
spec:
  selector: { matchLabels: { app: httpbin } }
  jwtRules:
    - issuer: issuer-foo
      jwksUri: https://example.com/.well-known/jwks.json
      audiences: [a, b]
      fromHeaders: [{ name: x-jwt-assertion, prefix: "Bearer " }]
      fromParams: [my_token]
      fromCookies: [auth-token]
      forwardOriginalToken: true
      outputPayloadToHeader: x-payload
      outputClaimToHeaders: [{ header: x-my-claim, claim: my-claim }]
      timeout: 5s
      spaceDelimitedClaims: [roles]
    - issuer: https://accounts.example.com
`
    const { rules, ...rest } = parseRequestAuthentication(parse(yaml))
    assert.deepEqual(rest, {
      apiVersion: 'security.istio.io/v1beta1',
      namespace: 'default',
      name: 'ingress',
      selector: { app: 'httpbin' },
      exemptPorts: [3306, 9090]
    })
    assert.deepEqual(rules[0], {
      issuer: 'issuer-foo',
      audiences: ['a', 'b'],
      jwksUri: 'https://example.com/.well-known/jwks.json',
      timeoutMs: 5_000,
      fromHeaders: [{ name: 'x-jwt-assertion', prefix: 'Bearer ' }],
      fromParams: ['my_token'],
      fromCookies: ['auth-token'],
      forwardOriginalToken: true,
      outputPayloadToHeader: 'x-payload',
      outputClaimToHeaders: [{ header: 'x-my-claim', claim: 'my-claim' }],
      spaceDelimitedClaims: ['roles']
    })
    assert.deepEqual([rules[1]?.fromHeaders, rules[1]?.fromParams, rules[1]?.fromCookies], [[], [], []])
  })

  it('knows the other spelling of jwksUri', () => {
    const { rules } = parseRequestAuthentication(policy({ jwtRules: [{ issuer: 'a', jwks_uri: 'https://a.example' }] }))
    assert.equal(rules[0]?.jwksUri, 'https://a.example')
  })

  it('may have the same header in two rules: a request has one token', () => {
    const rule = (issuer: string) => ({ issuer, audiences: ['x'], outputPayloadToHeader: 'x-user' })
    const { rules } = parseRequestAuthentication(policy({ jwtRules: [rule(ISSUER), rule('https://b.example')] }))
    assert.equal(rules.length, 2)
  })

  for (const spec of [undefined, {}, { jwtRules: [] }])
    it(`does nothing with ${JSON.stringify(spec)}, and says so`, () => {
      assert.deepEqual(parseRequestAuthentication(policy(spec)).rules, [])
      assert.deepEqual(warningsOf(policy(spec)), ['spec.jwtRules: absent: the policy does nothing'])
    })

  it('warns that it demands no token, and of each rule without audiences', () => {
    const [audiences, demands, ...more] = warningsOf(
      policy({ jwtRules: [{ issuer: ISSUER, audiences: ['a'] }, { issuer: 'https://b.example' }] })
    )
    assert.match(audiences ?? '', /^spec\.jwtRules\[1\]\.audiences: absent: /)
    assert.match(demands ?? '', /^kind: requests without a token pass: .* EndUserAuthentication demands one$/)
    assert.deepEqual(more, [])
  })
})

// Istio, JWTRule: presence (istio.io/api 1.32.0).
describe('the presence of a rule', () => {
  const requiredOf = (presence: unknown): unknown => {
    const object = policy({ jwtRules: [{ issuer: ISSUER, audiences: ['a'], presence }] })
    return parseRequestAuthentication(object).rules[0]?.required
  }

  it('REQUIRED demands its token, and nobody is warned that none is demanded', () => {
    assert.equal(requiredOf('REQUIRED'), true)
    const rules = [
      { issuer: ISSUER, audiences: ['a'] },
      { issuer: 'https://b.example', audiences: ['b'], presence: 'REQUIRED' }
    ]
    assert.deepEqual(warningsOf(policy({ jwtRules: rules })), [])
  })

  it('OPTIONAL is the same as none', () => {
    assert.equal(requiredOf('OPTIONAL'), undefined)
    assert.equal(requiredOf(undefined), undefined)
  })

  for (const presence of [
    'required',
    'Required',
    '',
    'REQUIRED ',
    'PRESENCE_UNSPECIFIED',
    1,
    true,
    null,
    ['REQUIRED'],
    {}
  ])
    it(`is refused as ${JSON.stringify(presence)}`, () => {
      const [issue] = issuesOf(policy({ jwtRules: [{ issuer: ISSUER, presence }] }))
      assert.match(issue ?? '', /^spec\.jwtRules\[0\]\.presence: expected one of OPTIONAL, REQUIRED, got /)
    })
})

describe('a RequestAuthentication is refused', () => {
  const rule = (fields: object) => ({ jwtRules: [{ issuer: ISSUER, ...fields }] })
  const refusals: Readonly<Record<string, readonly [object, RegExp]>> = {
    'for a gateway': [{ targetRefs: [] }, /^spec\.targetRefs: not supported: it names gateways .* selector$/],
    'for one gateway': [{ targetRef: {} }, /^spec\.targetRef: not supported: it names gateways/],
    'for rules outside a list': [{ jwtRules: {} }, /^spec\.jwtRules: expected a list, got \{\}$/],
    'for too many rules': [
      { jwtRules: Array(65).fill({ issuer: ISSUER }) },
      /^spec\.jwtRules: expected at most 64 entries, got 65$/
    ],
    'for a rule without an issuer': [{ jwtRules: [{}] }, /^spec\.jwtRules\[0\]\.issuer: required/],
    'for both spellings of one field': [
      rule({ jwksUri: 'https://a.example', jwks_uri: 'https://a.example' }),
      /^spec\.jwtRules\[0\]\.jwks_uri: not allowed together with jwksUri$/
    ],
    'for keys in two places, whatever the spelling': [
      rule({ jwks_uri: 'https://a.example', jwks: '{"keys":[]}' }),
      /^spec\.jwtRules\[0\]\.jwks: /
    ],
    'for an issuer that keys cannot be discovered from': [
      rule({ issuer: 'me@example.com' }),
      /^spec\.jwtRules\[0\]\.issuer: without jwksUri or jwks .* credentials$/
    ],
    'for a header that one rule reads and another writes': [
      {
        jwtRules: [
          { issuer: ISSUER, fromHeaders: [{ name: 'X-Token' }] },
          { issuer: 'https://b.example', outputClaimToHeaders: [{ header: 'x-token', claim: 'sub' }] }
        ]
      },
      /^spec\.jwtRules: expected other headers for claims than for tokens, got "x-token"/
    ],
    'for a field of ours': [
      rule({ includePaths: ['/x'] }),
      /^spec\.jwtRules\[0\]\.includePaths: not here: .*EndUserAuthentication/
    ],
    'for a misspelt field': [rule({ audience: [] }), /audience: unknown field; did you mean "audiences"/]
  }
  for (const [what, [spec, expected]] of Object.entries(refusals))
    it(what, () => assert.match(issuesOf(policy(spec))[0] ?? '', expected))

  const annotations = [
    '',
    ',',
    '9090,',
    '0',
    '65536',
    '9090,9090',
    '09090',
    '-1',
    '9090;3306',
    'http',
    '*',
    '1e3',
    '9090-9099'
  ]
  for (const value of [...annotations, Array.from({ length: 65 }, (_, index) => index + 1).join(), 9090, ['9090']])
    it(`for exempt ports ${JSON.stringify(value).slice(0, 40)}`, () => {
      const object = { ...policy({}), metadata: { name: 'p', annotations: { 'countersign.dev/exempt-ports': value } } }
      assert.match(
        issuesOf(object)[0] ?? '',
        /^metadata\.annotations\["countersign\.dev\/exempt-ports"\]: expected 1 to 64 entries .* got /
      )
    })

  it('in another version, and as one error that names the kind', () => {
    const object = { ...policy({}), apiVersion: 'security.istio.io/v1alpha1' }
    assert.match(issuesOf(object)[0] ?? '', /^apiVersion: expected one of security\.istio\.io\/v1, /)
    assert.throws(() => parseRequestAuthentication(object), /RequestAuthentication is not valid: apiVersion/)
  })
})
