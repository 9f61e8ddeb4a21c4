import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { CountersignError } from '../errors/index.ts'
import { checkEndUserAuthentication, describeIssue, parseEndUserAuthentication } from './index.ts'

const policy = (spec: object, metadata: object = {}) => ({
  apiVersion: 'countersign.dev/v1',
  kind: 'EndUserAuthentication',
  metadata: { name: 'web', namespace: 'shop', ...metadata },
  spec
})
const ISSUER = 'https://accounts.example.com'
const least = (spec: object = {}) => policy({ issuer: ISSUER, audiences: ['web'], ...spec })

const issuesOf = (object: unknown): readonly string[] => {
  const result = checkEndUserAuthentication(object)
  assert.ok(!result.ok, 'expected it to be refused')
  return result.issues.map(describeIssue)
}
const warningsOf = (object: unknown): readonly string[] => {
  const result = checkEndUserAuthentication(object)
  assert.ok(result.ok)
  return result.warnings.map(describeIssue)
}

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const JWKS = JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] })

describe('an EndUserAuthentication', () => {
  it('may say everything that there is to say', () => {
    const yaml = `
apiVersion: countersign.dev/v1
kind: EndUserAuthentication
metadata: { name: web, namespace: shop, uid: u-1, generation: 3, creationTimestamp: "2026-01-02T03:04:05Z" }
spec:
  selector: { matchLabels: { app: web } }
  issuer: https://accounts.example.com
  jwksUri: https://accounts.example.com/keys?v=1
  audiences: [web]
  includePaths: ['/api/*', '/a/{id}/b']
  excludePaths: ['/health']
  methods: [GET, M-SEARCH]
  exemptPorts: [9090, 3306]
  fromHeaders: [{ name: X-Token, prefix: 'Bearer ' }, { name: plain }]
  fromParams: [token]
  fromCookies: [session]
  forwardOriginalToken: true
  outputPayloadToHeader: X-User
  outputClaimToHeaders: [{ header: X-User-Email, claim: contact.email }]
  timeout: 1.5s
status: { conditions: [] }
`
    const parsed = parseEndUserAuthentication(parse(yaml))
    assert.deepEqual(parsed, {
      apiVersion: 'countersign.dev/v1',
      namespace: 'shop',
      name: 'web',
      uid: 'u-1',
      generation: 3,
      creationTimestamp: Date.UTC(2026, 0, 2, 3, 4, 5),
      selector: { app: 'web' },
      source: {
        issuer: 'https://accounts.example.com',
        audiences: ['web'],
        jwksUri: 'https://accounts.example.com/keys?v=1',
        timeoutMs: 1_500,
        fromHeaders: [
          { name: 'x-token', prefix: 'Bearer ' },
          { name: 'plain', prefix: '' }
        ],
        fromParams: ['token'],
        fromCookies: ['session'],
        forwardOriginalToken: true,
        outputPayloadToHeader: 'x-user',
        outputClaimToHeaders: [{ header: 'x-user-email', claim: 'contact.email' }],
        spaceDelimitedClaims: []
      },
      includePaths: ['/api/*', '/a/{id}/b'],
      excludePaths: ['/health'],
      methods: ['GET', 'M-SEARCH'],
      exemptPorts: [3306, 9090]
    })
    assert.ok(Object.isFrozen(parsed) && Object.isFrozen(parsed.source) && Object.isFrozen(parsed.includePaths))
  })

  it('need not say more than the issuer: then it is every path and method', () => {
    const { source, ...rest } = parseEndUserAuthentication(least())
    assert.deepEqual(
      [rest.includePaths, rest.excludePaths, rest.methods, rest.selector, source.jwksUri, source.jwks],
      [[], [], [], undefined, undefined, undefined]
    )
    assert.deepEqual([source.fromHeaders, source.fromParams, source.fromCookies], [[], [], []])
  })

  it('may bring the keys with it, for an issuer that is no URL', () => {
    const { source } = parseEndUserAuthentication(least({ issuer: 'me@example.com', jwks: JWKS }))
    assert.deepEqual(JSON.parse(source.jwks ?? ''), JSON.parse(JWKS))
  })

  const warnings: Readonly<Record<string, readonly [object, readonly RegExp[]]>> = {
    'about nothing when there is nothing': [{}, []],
    'about tokens for others, without audiences': [{ audiences: undefined }, [/^spec\.audiences: absent: .*RFC 8725/]],
    'about tokens for others, with none': [{ audiences: [] }, [/^spec\.audiences: absent/]],
    'about keys over http': [{ jwksUri: 'http://keys.example/x' }, [/^spec\.jwksUri: is http: /]],
    'about discovery over http': [{ issuer: 'http://a.example' }, [/^spec\.issuer: is http, /]],
    'about no issuer over http whose keys are elsewhere': [{ issuer: 'http://a.example', jwks: JWKS }, []]
  }
  for (const [what, [spec, expected]] of Object.entries(warnings))
    it(`warns ${what}`, () => {
      const found = warningsOf(least(spec))
      assert.equal(found.length, expected.length)
      for (const [index, pattern] of expected.entries()) assert.match(found[index] ?? '', pattern)
    })
})

describe('an EndUserAuthentication is refused', () => {
  const refusals: Readonly<Record<string, readonly [object, RegExp]>> = {
    'without an issuer': [{ issuer: undefined }, /^spec\.issuer: required: expected the issuer/],
    'with an empty issuer': [{ issuer: '' }, /^spec\.issuer: expected the issuer .* got ""$/],
    'with a blank in the issuer': [
      { issuer: 'a b', jwks: JWKS },
      /^spec\.issuer: expected .* without blanks, got "a b"$/
    ],
    'with an issuer as long as a page': [
      { issuer: `https://${'x'.repeat(3_000)}` },
      /^spec\.issuer: expected at most 2048 characters, got 3008$/
    ],
    'with an issuer that keys cannot be discovered from': [
      { issuer: 'accounts.example.com' },
      /^spec\.issuer: without jwksUri or jwks the keys are looked for below it: expected an http or https URL.*got "acc/
    ],
    'with a query in an issuer that is discovered': [
      { issuer: `${ISSUER}?a` },
      /^spec\.issuer: without jwksUri or jwks/
    ],
    'with two places of keys': [
      { jwksUri: 'https://a.example', jwks: JWKS },
      /^spec\.jwks: not allowed together with jwksUri/
    ],
    'with keys at no URL': [
      { jwksUri: 'keys.example' },
      /^spec\.jwksUri: expected an http or https URL.*"keys\.example"/
    ],
    'with keys in a file': [{ jwksUri: 'file:///etc/keys' }, /^spec\.jwksUri: expected an http or https URL/],
    'with a backslash in a URL': [{ jwksUri: 'https://a\\b' }, /^spec\.jwksUri: expected an http or https URL/],
    'with a fragment': [{ jwksUri: 'https://a.example/#k' }, /^spec\.jwksUri: .* without a fragment/],
    'with an empty fragment': [{ jwksUri: 'https://a.example/#' }, /^spec\.jwksUri: .* without a fragment/],
    'with an empty audience': [{ audiences: [''] }, /^spec\.audiences\[0\]: expected an audience/],
    'with an audience outside a list': [{ audiences: 'web' }, /^spec\.audiences: expected a list, got "web"$/],
    'with a header name that is none': [
      { fromHeaders: [{ name: 'x token' }] },
      /^spec\.fromHeaders\[0\]\.name: expected the name of a header/
    ],
    'with a header as text': [{ fromHeaders: ['x'] }, /^spec\.fromHeaders\[0\]: expected an object, got "x"$/],
    'with a header without a name': [{ fromHeaders: [{}] }, /^spec\.fromHeaders\[0\]\.name: required/],
    'with a prefix of a blank': [
      { fromHeaders: [{ name: 'x', prefix: ' ' }] },
      /^spec\.fromHeaders\[0\]\.prefix: expected text that stands before a token/
    ],
    'with a cookie name that is none': [
      { fromCookies: ['a=b'] },
      /^spec\.fromCookies\[0\]: expected the name of a cookie/
    ],
    'with a parameter name that is none': [
      { fromParams: ['a&b'] },
      /^spec\.fromParams\[0\]: expected the name of a query/
    ],
    'with a truth in words': [{ forwardOriginalToken: 'yes' }, /^spec\.forwardOriginalToken: expected true or false/],
    'with one header for two things': [
      { outputPayloadToHeader: 'X-User', outputClaimToHeaders: [{ header: 'x-user', claim: 'sub' }] },
      /^spec\.outputClaimToHeaders: expected every header once, got "x-user" again$/
    ],
    'with one header for claims and tokens': [
      { fromHeaders: [{ name: 'X-Token' }], outputPayloadToHeader: 'x-token' },
      /^spec\.fromHeaders: expected other headers than those for claims, got "x-token"/
    ],
    'with an empty part of a claim': [
      { outputClaimToHeaders: [{ header: 'x', claim: 'a..b' }] },
      /^spec\.outputClaimToHeaders\[0\]\.claim: expected the name of a claim/
    ],
    'with a number as the timeout': [{ timeout: 5 }, /^spec\.timeout: expected a duration from 1ms to 60s .*got 5$/],
    'with no unit in the timeout': [{ timeout: '5' }, /^spec\.timeout: expected a duration from 1ms to 60s .*got "5"$/],
    'with no time at all': [{ timeout: '0s' }, /^spec\.timeout: expected a duration from 1ms/],
    'with a minute and more': [{ timeout: '1m1ms' }, /^spec\.timeout: expected a duration from 1ms/],
    'with a method in lower case': [
      { methods: ['get'] },
      /^spec\.methods\[0\]: expected a method in upper case.*"get"$/
    ],
    'with port 0': [{ exemptPorts: [0] }, /^spec\.exemptPorts\[0\]: expected a port from 1 to 65535, got 0$/],
    'with a port above all': [{ exemptPorts: [1, 65_536] }, /^spec\.exemptPorts\[1\]: expected a port .*got 65536$/],
    'with half a port': [{ exemptPorts: [80.5] }, /^spec\.exemptPorts\[0\]: expected a port .*got 80\.5$/],
    'with a port as text': [{ exemptPorts: ['80'] }, /^spec\.exemptPorts\[0\]: expected a port .*got "80"$/],
    'with a port twice': [{ exemptPorts: [1, 2, 1] }, /^spec\.exemptPorts\[2\]: expected each port once, got 1 again$/],
    'with no port in a list': [{ exemptPorts: [] }, /^spec\.exemptPorts: expected at least one port, got \[\]; leave/],
    'with too many ports': [
      { exemptPorts: Array.from({ length: 65 }, (_, index) => index + 1) },
      /^spec\.exemptPorts: expected at most 64 entries, got 65$/
    ],
    'with no method in a list': [{ methods: [] }, /^spec\.methods: expected at least one method, got \[\]; leave/],
    'with no path in a list': [
      { includePaths: [] },
      /^spec\.includePaths: expected at least one path, got \[\]; leave/
    ],
    'with too many paths': [
      { includePaths: Array(65).fill('/x') },
      /^spec\.includePaths: expected at most 64 entries, got 65$/
    ],
    'with a path that starts nowhere': [
      { includePaths: ['api'] },
      /^spec\.includePaths\[0\]: expected to start with \//
    ],
    'with everything excluded': [{ excludePaths: ['/*'] }, /^spec\.excludePaths\[0\]: expected some paths only/],
    'with rules as Istio has them': [{ jwtRules: [] }, /^spec\.jwtRules: not here: the fields of the one issuer/],
    'with a field that is misspelt': [
      { includePath: ['/x'] },
      /^spec\.includePath: unknown field; did you mean "includePaths"; allowed fields: selector, issuer, /
    ]
  }
  for (const [what, [spec, expected]] of Object.entries(refusals))
    it(what, () => {
      const issues = issuesOf(least(spec))
      assert.equal(issues.length, 1, issues.join('\n'))
      assert.match(issues[0] ?? '', expected)
    })

  for (const header of [
    'X-Countersign-Session',
    'Host',
    'Authorization',
    'content-length',
    'X-Envoy-Any',
    'x-forwarded-client-cert',
    'Cookie'
  ])
    it(`with claims in ${header}, which is somebody else's`, () => {
      const [issue = ''] = issuesOf(least({ outputClaimToHeaders: [{ header, claim: 'sub' }] }))
      assert.match(issue, /^spec\.outputClaimToHeaders\[0\]\.header: expected a header that is nobody else's/)
    })

  for (const header of [':path', '', 'a b', 'a:'])
    it(`with claims in ${JSON.stringify(header)}, which is no header`, () => {
      assert.match(issuesOf(least({ outputPayloadToHeader: header }))[0] ?? '', /: expected the name of a header/)
    })

  it('without a spec, and in the group of Istio', () => {
    const { spec: _, ...rest } = policy({})
    assert.match(issuesOf(rest)[0] ?? '', /^spec: required/)
    assert.match(issuesOf({ ...least(), apiVersion: 'security.istio.io/v1' })[0] ?? '', /^apiVersion: expected one of/)
  })

  it('with all issues together, across fields too', () => {
    const issues = issuesOf(least({ issuer: 'me', timeout: 'x', methods: ['get'], excludePaths: ['//'] }))
    assert.deepEqual(issues.map(text => text.slice(0, text.indexOf(':'))).sort(), [
      'spec.excludePaths[0]',
      'spec.issuer',
      'spec.methods[0]',
      'spec.timeout'
    ])
  })

  it('as one error that names the kind', () => {
    assert.throws(
      () => parseEndUserAuthentication(least({ timeout: 'x' })),
      (thrown: unknown) =>
        thrown instanceof CountersignError &&
        thrown.code === 'ERR_POLICY_INVALID' &&
        thrown.message.startsWith('EndUserAuthentication is not valid: spec.timeout: ')
    )
  })
})

describe('nothing secret is printed of', () => {
  const secret = 'VERYSECRET'
  const hidden: Readonly<Record<string, object>> = {
    'a symmetric key': { jwks: JSON.stringify({ keys: [{ kty: 'oct', k: secret }] }) },
    'a private key': { jwks: JSON.stringify({ keys: [{ kty: 'EC', crv: 'P-256', d: secret }] }) },
    'keys that are no text': { jwks: { keys: [{ kty: 'oct', k: secret }] } },
    'keys that are no JSON': { jwks: `{ "keys": [{ "k": "${secret}" ` },
    'a URL with a password': { jwksUri: `https://me:${secret}@keys.example/` },
    'half a URL with a password': { jwksUri: `https://me:${secret}@` },
    'an issuer with a password': { issuer: `https://me:${secret}@accounts.example` }
  }
  for (const [what, spec] of Object.entries(hidden))
    it(what, () => {
      const issues = issuesOf(least(spec))
      assert.ok(!issues.join('\n').includes(secret), issues.join('\n'))
    })
})
