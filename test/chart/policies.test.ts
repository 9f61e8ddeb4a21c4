import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { prunedLevels } from '../../authority/definitions/index.ts'
import {
  checkEndUserAuthentication,
  checkPeerAuthentication,
  checkRequestAuthentication,
  type PolicyResult
} from '../../shared/policy/index.ts'
import { find, type Manifest, render } from './helm.ts'
import { schemaProblems } from './schema.ts'

// The API server judges by the definition first, and alone where no webhook answers: it may be milder than the webhook,
// and never stricter.

interface Policy {
  readonly definition: string
  readonly apiVersion: string
  readonly check: (object: unknown) => PolicyResult<unknown>
  readonly full: object
  /** Objects whose fields are asked for, as paths into the spec; of a list its first entry. */
  readonly objects: readonly (readonly string[])[]
}

const ISSUER = 'https://accounts.example.com'
const token = {
  issuer: ISSUER,
  audiences: ['web'],
  jwksUri: 'https://accounts.example.com/keys',
  fromHeaders: [{ name: 'X-Token', prefix: 'Bearer ' }],
  fromParams: ['token'],
  fromCookies: ['__Host-session'],
  forwardOriginalToken: true,
  outputPayloadToHeader: 'X-User',
  outputClaimToHeaders: [{ header: 'X-Mail', claim: 'contact.mail' }],
  timeout: '1m'
}
const SECRET = { name: 'web-login' }
const LOGIN = { clientId: 'web', clientSecret: SECRET }
const selector = { matchLabels: { 'app.kubernetes.io/name': 'web' } }
const inToken = [['fromHeaders'], ['outputClaimToHeaders']] as const

const POLICIES: readonly Policy[] = [
  {
    definition: 'peerauthentications.security.istio.io',
    apiVersion: 'security.istio.io/v1',
    check: checkPeerAuthentication,
    full: { selector, mtls: { mode: 'STRICT' }, portLevelMtls: { '8080': { mode: 'DISABLE' } } },
    objects: [[], ['selector'], ['mtls']]
  },
  {
    definition: 'requestauthentications.security.istio.io',
    apiVersion: 'security.istio.io/v1',
    check: checkRequestAuthentication,
    full: { selector, jwtRules: [{ ...token, spaceDelimitedClaims: ['roles'], presence: 'REQUIRED' }] },
    objects: [[], ['selector'], ['jwtRules'], ...inToken.map(path => ['jwtRules', ...path])]
  },
  {
    definition: 'enduserauthentications.countersign.dev',
    apiVersion: 'countersign.dev/v1',
    check: checkEndUserAuthentication,
    full: {
      selector,
      ...token,
      includePaths: [
        '/',
        '/x',
        '/x/*',
        '*.html',
        '*',
        '/a/{id}/b',
        '/{*}/{**}',
        '/v1/x:cancel',
        '/caf%C3%A9',
        '/.well-known/*'
      ],
      excludePaths: ['/health'],
      methods: ['GET', 'M-SEARCH'],
      exemptPorts: [9090, 1, 65_535],
      login: {
        clientId: 'https://shop.example.com/ web',
        clientSecret: { name: 'web.login', key: 'Client_Secret.1' },
        scopes: ['openid', 'api://shop/.default', '!#[]~'],
        redirectPath: '/signed-in',
        signOutPath: '/caf%C3%A9/x:out',
        authorizationEndpoint: `${ISSUER}/authorize?tenant=1`,
        tokenEndpoint: `${ISSUER}/token`,
        endSessionEndpoint: 'http://accounts.example.com/end',
        forwardTokens: false
      }
    },
    objects: [[], ['selector'], ...inToken, ['login'], ['login', 'clientSecret']]
  }
]

const manifests = render()

for (const { definition, apiVersion, check, full, objects } of POLICIES) {
  const { spec } = find(manifests, 'CustomResourceDefinition', definition)
  const schema: Manifest = spec.versions[0].schema.openAPIV3Schema.properties.spec
  const object = (content: unknown) => ({ apiVersion, kind: spec.names.kind, metadata: { name: 'p' }, spec: content })
  const at = (path: readonly string[]): Manifest =>
    path.reduce<Manifest>((inner, key) => {
      const next = inner['properties'][key]
      return next.type === 'array' ? next.items : next
    }, schema)

  describe(`the schema of ${spec.names.kind}`, () => {
    it('and the webhook accept everything that there is', () => {
      const result = check(object(full))
      assert.ok(result.ok, result.ok ? '' : JSON.stringify(result.issues))
      assert.deepEqual(schemaProblems(schema, full), [])
    })

    for (const path of objects)
      it(`and the webhook know the same fields of ${['spec', ...path].join('.')}`, () => {
        const asked = path.reduceRight<unknown>(
          (inner, key) => ({ [key]: ['selector', 'mtls', 'login', 'clientSecret'].includes(key) ? inner : [inner] }),
          { nothing: 1 }
        )
        const result = check(object(asked))
        assert.ok(!result.ok)
        const message = result.issues.find(issue => issue.path.at(-1) === 'nothing')?.message ?? ''
        const allowed = message.slice(message.indexOf('allowed fields: ') + 'allowed fields: '.length).split(', ')
        assert.deepEqual(Object.keys(at(path)['properties']).sort(), allowed.sort())
      })
  })
}

describe('the schema of EndUserAuthentication', () => {
  const { spec } = find(manifests, 'CustomResourceDefinition', 'enduserauthentications.countersign.dev')
  const schema: Manifest = spec.versions[0].schema.openAPIV3Schema.properties.spec

  const refused: Readonly<Record<string, object>> = {
    'no issuer': { issuer: undefined },
    'an empty issuer': { issuer: '' },
    'a blank in the issuer': { issuer: 'a b' },
    'an endless issuer': { issuer: 'x'.repeat(2_049) },
    'keys at no URL': { jwksUri: 'keys.example' },
    'a fragment in a URL': { jwksUri: 'https://keys.example/#a' },
    'an empty audience': { audiences: [''] },
    'a header that is none': { outputPayloadToHeader: 'x y' },
    'a cookie that is none': { fromCookies: ['a=b'] },
    'a claim with an empty part': { outputClaimToHeaders: [{ header: 'x', claim: 'a..b' }] },
    'a timeout without a unit': { timeout: '5' },
    'a method in lower case': { methods: ['get'] },
    'no method in a list': { methods: [] },
    'port 0': { exemptPorts: [0] },
    'a port above all': { exemptPorts: [65_536] },
    'half a port': { exemptPorts: [80.5] },
    'a port as text': { exemptPorts: ['9090'] },
    'one port without a list': { exemptPorts: 9090 },
    'no port in a list': { exemptPorts: [] },
    'too many ports': { exemptPorts: Array.from({ length: 65 }, (_, index) => index + 1) },
    'too many paths': { includePaths: Array(65).fill('/x') },
    'a path that starts nowhere': { includePaths: ['x'] },
    'a path with a query': { includePaths: ['/x?a'] },
    'a path with a semicolon': { excludePaths: ['/x;a'] },
    'a path with a backslash': { excludePaths: ['/x\\a'] },
    'a * in the middle of a path': { includePaths: ['/a/*/b'] },
    'half a template': { includePaths: ['/a{id}'] },
    'something behind {**}': { includePaths: ['/{**}/a'] },
    'a login as text': { login: 'web' },
    'a login without a client': { login: { clientSecret: SECRET } },
    'a login with an empty client': { login: { clientId: '', clientSecret: SECRET } },
    'a login with a client that is not ASCII': { login: { clientId: 'wéb', clientSecret: SECRET } },
    'a login without a Secret': { login: { clientId: 'web' } },
    'a secret in place of its name': { login: { clientId: 'web', clientSecret: 'hunter2' } },
    'a Secret without a name': { login: { clientId: 'web', clientSecret: {} } },
    'a Secret with no name of Kubernetes': { login: { clientId: 'web', clientSecret: { name: 'Web' } } },
    'a key that no Secret can have': { login: { clientId: 'web', clientSecret: { ...SECRET, key: 'a/b' } } },
    'a scope with a blank': { login: { ...LOGIN, scopes: ['a b'] } },
    'a scope with a quote': { login: { ...LOGIN, scopes: ['"'] } },
    'no scope in a list': { login: { ...LOGIN, scopes: [] } },
    'a way back that starts nowhere': { login: { ...LOGIN, redirectPath: 'cb' } },
    'a way back to the very first page': { login: { ...LOGIN, redirectPath: '/' } },
    'a way back with a wildcard': { login: { ...LOGIN, redirectPath: '/cb/*' } },
    'a way out with a query': { login: { ...LOGIN, signOutPath: '/out?a' } },
    'an endpoint that is no URL': { login: { ...LOGIN, endSessionEndpoint: 'accounts' } },
    'an endpoint with a fragment': { login: { ...LOGIN, endSessionEndpoint: `${ISSUER}/#a` } }
  }
  for (const [what, fields] of Object.entries(refused))
    it(`refuses ${what}, as the webhook does`, () => {
      const written = JSON.parse(JSON.stringify({ issuer: ISSUER, ...fields }))
      assert.equal(schemaProblems(schema, written).length, 1)
      const [apiVersion, kind] = ['countersign.dev/v1', 'EndUserAuthentication']
      assert.ok(!checkEndUserAuthentication({ apiVersion, kind, metadata: { name: 'p' }, spec: written }).ok)
    })

  it('keeps what a status says', () => {
    const condition = { type: 'Ready', status: 'True', observedGeneration: 1, reason: 'Ready', message: 'x' }
    const { status } = spec.versions[0].schema.openAPIV3Schema.properties
    assert.deepEqual(
      Object.keys(condition).filter(key => !Object.hasOwn(status.properties.conditions.items.properties, key)),
      []
    )
  })
})

describe('the definitions of policies', () => {
  for (const { definition } of POLICIES)
    it(`keep every field that they do not know, on every level: ${definition}`, t => {
      const written = find(manifests, 'CustomResourceDefinition', definition)
      assert.deepEqual(prunedLevels(written), [])
      // Each level that keeps is needed: without it, its path is named.
      let levels = 0
      for (const version of written['spec'].versions)
        for (const [path, level] of levelsBelow(version.schema.openAPIV3Schema, '')) {
          delete level['x-kubernetes-preserve-unknown-fields']
          assert.deepEqual(prunedLevels(written), [`${version.name}: ${path}`])
          level['x-kubernetes-preserve-unknown-fields'] = true
          levels++
        }
      t.diagnostic(`${levels} levels`)
      assert.ok(levels >= 4)
    })

  it('leave metadata to the API server', () => {
    for (const { definition } of POLICIES)
      for (const version of find(manifests, 'CustomResourceDefinition', definition)['spec'].versions)
        assert.equal(version.schema.openAPIV3Schema.properties.metadata, undefined)
  })

  it('keep every field of a status, too', () => {
    for (const { definition } of POLICIES)
      for (const version of find(manifests, 'CustomResourceDefinition', definition)['spec'].versions) {
        const { status } = version.schema.openAPIV3Schema.properties
        for (const level of [status, status.properties?.conditions.items ?? status])
          assert.equal(level['x-kubernetes-preserve-unknown-fields'], true)
      }
  })
})

/** The levels of a schema that are objects with fields, below and with itself; those of a status are left out. */
function levelsBelow(schema: Manifest, path: string): readonly (readonly [string, Manifest])[] {
  if (schema['items'] !== undefined) return levelsBelow(schema['items'], `${path}[]`)
  if (schema['additionalProperties'] !== undefined) return levelsBelow(schema['additionalProperties'], `${path}.*`)
  if (schema['type'] !== 'object') return []
  const inner = Object.entries<Manifest>(schema['properties'] ?? {}).filter(([key]) => path !== '' || key !== 'status')
  return [
    [path === '' ? 'the object itself' : path, schema],
    ...inner.flatMap(([key, value]) => levelsBelow(value, path === '' ? key : `${path}.${key}`))
  ]
}
