import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { type EndUserChecks, EndUserChecksSchema } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { Issuer } from '../../shared/x509/index.ts'
import { type Snapshot, TYPE } from '../../shared/xds/index.ts'
import { resourceJson } from '../../test/envoy/index.ts'
import { newRoot, newState, newSvid, newWorkload, spiffeId } from './fixtures.test-support.ts'
import { composeSnapshot, type Interception } from './index.ts'
import { activeLogin, cookieName, withSession } from './login.ts'
import type { LoginSecrets } from './mesh-state.ts'
import type { PodSvid } from './secrets.ts'
import { tokenEndpointClusterName } from './token-endpoint.ts'

type Checks = Exclude<MessageInitShape<typeof EndUserChecksSchema>, EndUserChecks>

const login = (name: string) => ({
  clientId: `client of ${name}`,
  secret: `shop/${name}`,
  scopes: ['openid'],
  redirectPath: '/back',
  signOutPath: '/out',
  authorizationEndpoint: 'https://accounts.test/auth',
  tokenEndpoint: 'https://accounts.test/token'
})
const provider = (name: string, more: object = {}) => ({
  name,
  issuer: `https://${name}.test`,
  keySet: 'keys',
  ...more
})
const rule = (name: string, more: object = {}) => ({ providers: [name], required: true, ...more })
const checksOf = (checks: Checks): EndUserChecks => create(EndUserChecksSchema, checks)
const secretsOf = (...names: readonly string[]): LoginSecrets =>
  newState({ roots: [], loginSecrets: Object.fromEntries(names.map(name => [`shop/${name}`, 'a secret'])) })
    .loginSecrets

const ONE = checksOf({ providers: [provider('web', { login: login('web') })], rules: [rule('web')] })

describe('the login of a workload', () => {
  it("is the oldest policy's, whatever comes after it", () => {
    const checks = checksOf({
      providers: ['api', 'b', 'a'].map(name => provider(name, name === 'api' ? {} : { login: login(name) })),
      rules: ['api', 'b', 'a'].map(name => rule(name))
    })
    const active = activeLogin(checks, secretsOf('a', 'b'))
    assert.equal(active?.provider.name, 'b')
    assert.deepEqual(
      active.earlier.map(({ providers }) => providers),
      [['api']]
    )
    assert.equal(activeLogin(checks, secretsOf('a')), undefined)
  })

  it('is for every rule of its policy, and on the ports of all of them', () => {
    const checks = checksOf({
      providers: [provider('web', { login: login('web') }), provider('also')],
      rules: [rule('web', { alsoRequired: ['also'], exemptPorts: [9090, 8080] }), rule('web', { exemptPorts: [9090] })]
    })
    const active = activeLogin(checks, secretsOf('web')) ?? assert.fail('no login')
    assert.deepEqual(active.rule.exemptPorts, [9090])
    assert.deepEqual(
      withSession(checks, active).rules.map(({ providers, exemptPorts }) => [providers, exemptPorts]),
      [
        [
          ['session of web', 'web'],
          [9090, 8080]
        ],
        [['session of web', 'web'], [9090]]
      ]
    )
  })

  const NONE: Readonly<Record<string, readonly [EndUserChecks, LoginSecrets]>> = {
    'no policy has one': [checksOf({ providers: [provider('web')], rules: [rule('web')] }), secretsOf('web')],
    'its secret is not there': [ONE, secretsOf('another')],
    'it is not known where browsers go': [
      checksOf({
        providers: [provider('web', { login: { ...login('web'), authorizationEndpoint: '' } })],
        rules: [rule('web')]
      }),
      secretsOf('web')
    ],
    'it is not known where codes become tokens': [
      checksOf({
        providers: [provider('web', { login: { ...login('web'), tokenEndpoint: '' } })],
        rules: [rule('web')]
      }),
      secretsOf('web')
    ],
    'no rule needs its tokens': [
      checksOf({ providers: [provider('web', { login: login('web') })], rules: [rule('web', { required: false })] }),
      secretsOf('web')
    ]
  }
  for (const [why, [checks, secrets]] of Object.entries(NONE))
    it(`is none where ${why}`, () => assert.equal(activeLogin(checks, secrets), undefined))
})

describe('a session', () => {
  const sessionOf = (checks: EndUserChecks) => {
    const active = activeLogin(checks, secretsOf('web'))
    assert.ok(active)
    return withSession(checks, active)
  }

  it('is a token of the same issuer, for the client alone', () => {
    const checks = checksOf({
      providers: [
        provider('web', {
          login: login('web'),
          audiences: ['api'],
          payloadHeader: 'x-user',
          forward: true,
          fromParams: ['t']
        })
      ],
      rules: [rule('web')]
    })
    const [given, session] = sessionOf(checks).providers
    assert.deepEqual([given?.audiences, session?.audiences], [['api'], ['client of web']])
    assert.deepEqual([session?.issuer, session?.keySet, session?.payloadHeader], ['https://web.test', 'keys', 'x-user'])
    assert.deepEqual([session?.forward, session?.fromParams, session?.fromCookies], [false, [], []])
    assert.deepEqual(
      session?.fromHeaders.map(({ name }) => name),
      ['x-countersign-session']
    )
  })

  it('is asked for where the policy wants a token, and nowhere else', () => {
    const checks = checksOf({
      providers: [provider('api'), provider('web', { login: login('web') })],
      rules: [rule('api', { includePaths: ['/api/*'] }), rule('web', { includePaths: ['/shop/*'] })]
    })
    assert.deepEqual(
      sessionOf(checks).rules.map(({ providers, includePaths }) => [providers, includePaths]),
      [
        [['api'], ['/api/*']],
        [
          ['session of web', 'web'],
          ['/shop/*', '/back', '/out']
        ]
      ]
    )
    assert.deepEqual(sessionOf(ONE).rules[0]?.includePaths, [])
  })

  it('has cookies of its own policy', () => {
    const [a, b] = ['a', 'b'].map(name =>
      create(EndUserChecksSchema, { providers: [provider(name, { login: login(name) })] })
    )
    const names = [a, b].map(checks => {
      const given = checks?.providers[0]?.login
      assert.ok(given)
      return cookieName(given, 'hmac')
    })
    for (const name of names) assert.match(name, /^__Host-countersign-login-[0-9a-f]{8}-hmac$/)
    assert.notEqual(names[0], names[1])
  })
})

describe('what a proxy has for a login', () => {
  let root: Issuer
  let svid: PodSvid
  before(async () => {
    root = await newRoot()
    svid = await newSvid(root, spiffeId('shop', 'orders'))
  })

  const snapshotOf = (interception: Interception, endUsers?: EndUserChecks, ...secrets: readonly string[]): Snapshot =>
    composeSnapshot(
      newState({ roots: [root], loginSecrets: Object.fromEntries(secrets.map(name => [`shop/${name}`, 'a secret'])) }),
      { workload: newWorkload(endUsers === undefined ? {} : { endUsers }), svid, interception, probes: [] }
    )
  const namesOf = (snapshot: Snapshot): string[] =>
    [...snapshot.types].flatMap(([, resources]) => [...resources.keys()]).sort()
  const INTERCEPTIONS: readonly Interception[] = [
    { kind: 'redirect' },
    { kind: 'explicit', applicationAddress: '127.83.1.1' }
  ]

  it('is there for a workload that has one, and for no other', () => {
    for (const interception of INTERCEPTIONS) {
      const without = namesOf(snapshotOf(interception))
      assert.deepEqual(
        namesOf(snapshotOf(interception, ONE, 'web', 'another')).filter(name => !without.includes(name)),
        [
          'login-secrets',
          'login/shop/web/client-secret',
          'login/shop/web/session-key',
          'token-endpoint/https/accounts.test/443',
          'web-roots'
        ]
      )
      assert.deepEqual(namesOf(snapshotOf(interception, ONE)), without)
    }
  })

  it('changes its chains of HTTP, and no listener that carries something else', () => {
    for (const interception of INTERCEPTIONS) {
      const [before, after] = [snapshotOf(interception, ONE), snapshotOf(interception, ONE, 'web')]
      for (const [name, resource] of before.types.get(TYPE.listener) ?? []) {
        const changed = after.types.get(TYPE.listener)?.get(name)
        assert.ok(changed)
        if (!name.startsWith('inbound')) {
          assert.equal(changed.version, resource.version, name)
          continue
        }
        const [old, now] = [resource, changed].map(resourceJson)
        assert.deepEqual({ ...now, filterChains: [] }, { ...old, filterChains: [] })
        assert.ok(JSON.stringify(now).includes('end-users/login'))
        // Not by reference: Envoy would crash at an update, once the listener was updated in place.
        assert.ok(!JSON.stringify(old).includes('OAuth2') && !JSON.stringify(old).includes('end-users/login"'))
      }
    }
  })

  it('has its secrets in secrets alone', () => {
    const { types } = snapshotOf({ kind: 'redirect' }, ONE, 'web')
    for (const [type, resources] of types)
      for (const [name, resource] of resources) {
        const isSecret = Buffer.from(resource.value).includes('a secret')
        assert.equal(isSecret, type === TYPE.secret && name === 'login/shop/web/client-secret', name)
      }
  })

  it('asks for a certificate of that host, and for none where the endpoint speaks no TLS', () => {
    const clusterFor = (tokenEndpoint: string): string => {
      const checks = checksOf({
        providers: [provider('web', { login: { ...login('web'), tokenEndpoint } })],
        rules: [rule('web')]
      })
      const cluster = snapshotOf({ kind: 'redirect' }, checks, 'web').types.get(TYPE.cluster)
      const resource = cluster?.get(tokenEndpointClusterName(tokenEndpoint))
      assert.ok(resource)
      return JSON.stringify(resourceJson(resource))
    }
    assert.match(clusterFor('https://accounts.test/token'), /"sni":"accounts\.test"/)
    assert.match(clusterFor('https://accounts.test/token'), /"DNS","matcher":\{"exact":"accounts\.test"/)
    assert.match(clusterFor('https://[fd00::1]/token'), /"IP_ADDRESS","matcher":\{"exact":"fd00::1"/)
    assert.doesNotMatch(clusterFor('http://keycloak.auth:8080/token'), /sni|validation/i)
  })

  it('is shared by endpoints at the same place', () => {
    assert.equal(tokenEndpointClusterName('https://a.test/x'), tokenEndpointClusterName('https://A.test:443/y?z'))
    assert.notEqual(tokenEndpointClusterName('https://a.test/x'), tokenEndpointClusterName('http://a.test:443/x'))
  })
})
