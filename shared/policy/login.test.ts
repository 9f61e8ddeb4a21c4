import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, it } from 'node:test'
import { checkEndUserAuthentication, describeIssue, parseEndUserAuthentication } from './index.ts'

const ISSUER = 'https://accounts.example.com'
const AUTHORIZE = `${ISSUER}/authorize`
const TOKEN = `${ISSUER}/token`
const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const JWKS = JSON.stringify({ keys: [publicKey.export({ format: 'jwk' })] })

const CLIENT = { clientId: 'web', clientSecret: { name: 'web-login' } }

const policy = (login: unknown, spec: object = {}) => ({
  apiVersion: 'countersign.dev/v1',
  kind: 'EndUserAuthentication',
  metadata: { name: 'web', namespace: 'shop' },
  spec: { issuer: ISSUER, login, ...spec }
})
const withLogin = (login: object = {}, spec: object = {}) => policy({ ...CLIENT, ...login }, spec)

const issuesOf = (object: unknown): readonly string[] => {
  const result = checkEndUserAuthentication(object)
  assert.ok(!result.ok, 'expected it to be refused')
  return result.issues.map(describeIssue)
}

describe('a login', () => {
  it('needs no more than a client and the name of a Secret', () => {
    const { login, source } = parseEndUserAuthentication(withLogin())
    assert.deepEqual(login, {
      clientId: 'web',
      clientSecret: { name: 'web-login', key: 'client-secret' },
      scopes: ['openid'],
      redirectPath: '/oauth2/callback',
      signOutPath: '/oauth2/sign-out',
      forwardTokens: false
    })
    assert.ok(Object.isFrozen(login) && Object.isFrozen(login.clientSecret) && Object.isFrozen(login.scopes))
    assert.deepEqual(source.audiences, ['web'], 'what its tokens are for')
  })

  it('may say everything that there is to say', () => {
    const all = {
      clientId: 'https://shop.example.com/ web',
      clientSecret: { name: 'web.login', key: 'Client_Secret.1' },
      scopes: ['profile', 'openid', 'api://shop/.default', 'profile'],
      redirectPath: '/signed-in',
      signOutPath: '/signed-out/',
      authorizationEndpoint: `${AUTHORIZE}?tenant=1`,
      tokenEndpoint: TOKEN,
      endSessionEndpoint: `${ISSUER}/end`,
      forwardTokens: true
    }
    const { login } = parseEndUserAuthentication(policy(all))
    assert.deepEqual(login, { ...all, scopes: ['openid', 'profile', 'api://shop/.default'] })
  })

  it('adds nothing to audiences that are given', () => {
    assert.deepEqual(parseEndUserAuthentication(withLogin({}, { audiences: ['api'] })).source.audiences, ['api'])
    assert.deepEqual(parseEndUserAuthentication(withLogin({}, { audiences: [] })).source.audiences, ['web'])
  })

  it('goes together with other places of tokens', () => {
    const { source } = parseEndUserAuthentication(withLogin({}, { fromCookies: ['session'] }))
    assert.deepEqual(source.fromCookies, ['session'])
  })

  it('may be without the endpoint for signing out, where the others are named', () => {
    const named = withLogin({ authorizationEndpoint: AUTHORIZE, tokenEndpoint: TOKEN }, { jwks: JWKS })
    assert.equal(parseEndUserAuthentication(named).login?.endSessionEndpoint, undefined)
  })

  it('may name the endpoint for signing out alone', () => {
    const endSessionEndpoint = `${ISSUER}/end`
    assert.equal(parseEndUserAuthentication(withLogin({ endSessionEndpoint })).login?.tokenEndpoint, undefined)
  })

  const besideExclusions: readonly string[] = ['/oauth2', '/oauth2/callback/x', '/{*}/callbacks', '*.html', '/OAUTH2/*']
  for (const pattern of besideExclusions)
    it(`has its paths outside the exclusion ${pattern}`, () => {
      assert.ok(checkEndUserAuthentication(withLogin({}, { excludePaths: [pattern] })).ok)
    })

  const warnings: Readonly<Record<string, readonly [object, readonly RegExp[]]>> = {
    'about nothing when there is nothing, and audiences are absent': [{}, []],
    'about the endpoint for browsers over http': [
      { authorizationEndpoint: 'http://a.example/', tokenEndpoint: TOKEN },
      [/^spec\.login\.authorizationEndpoint: is http: whoever is in between can sign in as somebody else; https/]
    ],
    'about a secret that is sent over http': [
      { authorizationEndpoint: AUTHORIZE, tokenEndpoint: 'http://a.example/', endSessionEndpoint: 'http://a.example' },
      [/^spec\.login\.tokenEndpoint: is http: .*the secret of the client/, /^spec\.login\.endSessionEndpoint: is http/]
    ]
  }
  for (const [what, [login, expected]] of Object.entries(warnings))
    it(`warns ${what}`, () => {
      const result = checkEndUserAuthentication(withLogin(login))
      assert.ok(result.ok)
      const found = result.warnings.map(describeIssue)
      assert.equal(found.length, expected.length, found.join('\n'))
      for (const [index, pattern] of expected.entries()) assert.match(found[index] ?? '', pattern)
    })
})

describe('a login is refused', () => {
  const refusals: Readonly<Record<string, readonly [object, RegExp]>> = {
    'without a client': [{ clientId: undefined }, /^clientId: required: expected the ID of a client/],
    'with an empty client': [{ clientId: '' }, /^clientId: expected the ID of a client .*got ""$/],
    'with a client of blanks': [{ clientId: ' ' }, /^clientId: expected .*got " "$/],
    'with a line break in a client': [{ clientId: 'a\nb' }, /^clientId: expected .*got "a\\nb"$/],
    'with a client that is not ASCII': [{ clientId: 'wéb' }, /^clientId: expected the ID of a client/],
    'with a client as a number': [{ clientId: 17 }, /^clientId: expected .*got 17$/],
    'without a Secret': [{ clientSecret: undefined }, /^clientSecret: required: expected where the secret is/],
    'without the name of a Secret': [{ clientSecret: {} }, /^clientSecret\.name: expected the name of a Secret/],
    'with a Secret of another namespace': [
      { clientSecret: { name: 'a', namespace: 'b' } },
      /^clientSecret\.namespace: unknown field.*; allowed fields: name, key$/
    ],
    'with a key that no Secret can have': [
      { clientSecret: { name: 'a', key: 'a/b' } },
      /^clientSecret\.key: expected the key of an entry/
    ],
    'with a key of dots': [{ clientSecret: { name: 'a', key: '..' } }, /^clientSecret\.key: expected the key/],
    'with an empty key': [{ clientSecret: { name: 'a', key: '' } }, /^clientSecret\.key: expected the key/],
    'with a blank in a scope': [{ scopes: ['openid profile'] }, /^scopes\[0\]: expected a scope .*"openid profile"$/],
    'with a quote in a scope': [{ scopes: ['"'] }, /^scopes\[0\]: expected a scope/],
    'with a backslash in a scope': [{ scopes: ['\\'] }, /^scopes\[0\]: expected a scope/],
    'with an empty scope': [{ scopes: ['openid', ''] }, /^scopes\[1\]: expected a scope/],
    'with no scope in a list': [{ scopes: [] }, /^scopes: expected at least one scope, got \[\]; leave the field out$/],
    'with scopes as one text': [{ scopes: 'openid' }, /^scopes: expected a list, got "openid"$/],
    'with a path that starts nowhere': [
      { redirectPath: 'callback' },
      /^redirectPath: expected one path, .*"callback"$/
    ],
    'with a whole URL as a path': [{ redirectPath: 'https://shop.example/cb' }, /^redirectPath: expected one path/],
    'with a query in a path': [{ redirectPath: '/cb?a' }, /^redirectPath: expected no query and no fragment/],
    'with a fragment in a path': [{ signOutPath: '/out#a' }, /^signOutPath: expected no query and no fragment/],
    'with many paths in one': [{ signOutPath: '/out/*' }, /^signOutPath: expected one path, .* without wildcards/],
    'with a template as a path': [{ signOutPath: '/{id}' }, /^signOutPath: expected one path, .* without wildcards/],
    'with a path in an unusual spelling': [{ redirectPath: '/a//b' }, /^redirectPath: could never match/],
    'with an encoded separator in a path': [{ redirectPath: '/a%2Fb' }, /^redirectPath: could never match/],
    'with the very first page as a path': [
      { redirectPath: '/' },
      /^redirectPath: expected a path of its own, got "\/"/
    ],
    'with an empty path': [{ redirectPath: '' }, /^redirectPath: expected one path/],
    'with one path for two things': [
      { redirectPath: '/a', signOutPath: '/a' },
      /^signOutPath: expected another path than that of redirectPath, got "\/a"$/
    ],
    'with one path for two things, in other letters': [
      { redirectPath: '/a', signOutPath: '/A/' },
      /^signOutPath: expect/
    ],
    'with one path for two things, one of which is not written': [
      { redirectPath: '/oauth2/sign-out' },
      /^redirectPath: expected another path than that of signOutPath/
    ],
    'with an endpoint that is no URL': [
      { authorizationEndpoint: 'accounts', tokenEndpoint: TOKEN },
      /^authorizationEndpoint: expected an http or https URL.*"accounts"$/
    ],
    'with an endpoint in a file': [
      { authorizationEndpoint: AUTHORIZE, tokenEndpoint: 'file:///x' },
      /^tokenEndpoint: expected an http or https URL/
    ],
    'with a fragment in an endpoint': [
      { authorizationEndpoint: `${AUTHORIZE}#a`, tokenEndpoint: TOKEN },
      /^authorizationEndpoint: .* without a fragment/
    ],
    'with credentials in an endpoint': [{ endSessionEndpoint: 'https://a:b@c.example' }, /^endSessionEndpoint: .*cred/],
    'with one endpoint of two': [
      { authorizationEndpoint: AUTHORIZE },
      /^tokenEndpoint: required together with authorizationEndpoint$/
    ],
    'with the other endpoint of two': [
      { tokenEndpoint: TOKEN },
      /^authorizationEndpoint: required together with tokenEndpoint$/
    ],
    'with a truth in words': [{ forwardTokens: 'yes' }, /^forwardTokens: expected true or false, got "yes"$/],
    'with a field that is misspelt': [{ redirectUri: '/x' }, /^redirectUri: unknown field/]
  }
  for (const [what, [login, expected]] of Object.entries(refusals))
    it(what, () => {
      const issues = issuesOf(withLogin(login))
      assert.equal(issues.length, 1, issues.join('\n'))
      assert.match(issues[0]?.replace(/^spec\.login\./, '') ?? '', expected)
    })

  for (const keys of [{ jwks: JWKS }, { jwksUri: `${ISSUER}/keys` }])
    it(`without endpoints where ${Object.keys(keys)[0]} says where the keys are`, () => {
      const [field = ''] = Object.keys(keys)
      const message = `required: expected an http or https URL, because with ${field} nothing is discovered`
      assert.deepEqual(issuesOf(withLogin({}, keys)), [
        `spec.login.authorizationEndpoint: ${message}`,
        `spec.login.tokenEndpoint: ${message}`
      ])
    })

  for (const pattern of ['/oauth2/callback', '/oauth2/*', '/oauth2/c*', '*/callback', '/oauth2/{id}', '/{*}/callback'])
    it(`with its own path excluded by ${pattern}`, () => {
      const [issue = ''] = issuesOf(withLogin({}, { excludePaths: ['/health', pattern] }))
      assert.match(issue, /^spec\.excludePaths\[1\]: excludes "\/oauth2\/callback", the redirectPath of login/)
    })

  it('for every path of its own that is excluded', () => {
    const issues = issuesOf(withLogin({}, { excludePaths: ['/oauth2/{**}'] }))
    assert.deepEqual(issues.length, 2)
  })

  it('for methods that no browser asks for a page with', () => {
    const [issue = ''] = issuesOf(withLogin({}, { methods: ['POST'] }))
    assert.match(issue, /^spec\.methods: expected GET among them, got \["POST"\]/)
  })

  for (const [what, login] of Object.entries({ 'as text': 'web', 'as a list': [CLIENT], 'as nothing': null }))
    it(what, () => assert.match(issuesOf(policy(login))[0] ?? '', /^spec\.login: expected an object/))

  it('below another name, with the one that was probably meant', () => {
    assert.match(issuesOf({ ...policy(undefined), spec: { issuer: ISSUER, logins: CLIENT } })[0] ?? '', /"login"/)
  })
})

describe('a secret that stands in a policy by mistake is not printed', () => {
  const secret = 'VERYSECRET'
  const mistakes: Readonly<Record<string, unknown>> = {
    'as the Secret itself': secret,
    'as the name of the Secret': { name: secret },
    'as the key': { name: 'a', key: `${secret}=` },
    'in a field of its own': { name: 'a', value: secret },
    'in a list': [secret]
  }
  for (const [what, clientSecret] of Object.entries(mistakes))
    it(what, () => {
      const issues = issuesOf(withLogin({ clientSecret })).join('\n')
      assert.ok(!issues.includes(secret), issues)
      assert.match(issues, /^spec\.login\.clientSecret/)
    })
})
