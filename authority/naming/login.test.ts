import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Sensitive } from '../../shared/log/index.ts'
import type { Login, TokenProvider } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { type Known, type KnownKeys, type KnownLoginSecrets, NOTHING_KNOWN } from './known.ts'
import {
  endUserAuthentication,
  inventoryOf,
  type Manifest,
  pod,
  requestAuthentication,
  settings
} from './mesh.test-support.ts'
import { type MeshState, meshState } from './mesh-state.ts'

const ISSUER = 'https://b.test'
const CLIENT = { clientId: 'web', clientSecret: { name: 'web-login' } }
const withLogin = (login: object = {}, options: { name?: string; created?: number; spec?: object } = {}) =>
  endUserAuthentication({ ...options, spec: { login: { ...CLIENT, ...login }, ...options.spec } })

const ENDPOINTS = { authorization: `${ISSUER}/in`, token: `${ISSUER}/token`, endSession: `${ISSUER}/out` }
const DISCOVERED: KnownKeys = new Map([[ISSUER, { jwks: '{"keys":[]}', discovered: { endpoints: ENDPOINTS } }]])
const PROBLEM: KnownKeys = new Map([[ISSUER, { jwks: '{"keys":[]}', discovered: { problem: `${ISSUER}: none` } }]])

const secrets = (status: 'ready' | 'missing' | 'waiting', message = ''): KnownLoginSecrets => {
  const value = new Sensitive({ clientSecret: Buffer.from('s'), hmacKey: Buffer.from('k') })
  return new Map([['shop/web', { secret: status === 'ready' ? value : undefined, condition: { status, message } }]])
}

const stateOf = (manifests: readonly Manifest[], known: Partial<Known> = {}, previous?: MeshState): MeshState =>
  meshState(inventoryOf([pod(), ...manifests]), settings, previous, { ...NOTHING_KNOWN, ...known })
const providersOf = (state: MeshState): readonly TokenProvider[] =>
  state.workloadsByNode.get('node-1')?.get('uid-orders-1')?.endUsers?.providers ?? []
const loginOf = (state: MeshState): Login | undefined => providersOf(state)[0]?.login
const problemsOf = (state: MeshState) =>
  state.problems.map(({ kind, object, message }) => `${kind}: ${object} ${message}`)

describe('the login of a workload', () => {
  it('is that of its policy, with the endpoints that its issuer tells', () => {
    const { $typeName: _, ...login } = loginOf(stateOf([withLogin()], { keys: DISCOVERED })) ?? {}
    assert.deepEqual(login, {
      clientId: 'web',
      secret: 'shop/web',
      scopes: ['openid'],
      redirectPath: '/oauth2/callback',
      signOutPath: '/oauth2/sign-out',
      authorizationEndpoint: ENDPOINTS.authorization,
      tokenEndpoint: ENDPOINTS.token,
      endSessionEndpoint: ENDPOINTS.endSession,
      forwardTokens: false
    })
  })

  it('has the endpoints of the policy before those of the issuer', () => {
    const own = {
      authorizationEndpoint: 'https://c.test/in',
      tokenEndpoint: 'https://c.test/token',
      forwardTokens: true
    }
    const { authorizationEndpoint, tokenEndpoint, endSessionEndpoint, forwardTokens } =
      loginOf(stateOf([withLogin(own)], { keys: DISCOVERED })) ?? {}
    assert.deepEqual(
      [authorizationEndpoint, tokenEndpoint, endSessionEndpoint, forwardTokens],
      [own.authorizationEndpoint, own.tokenEndpoint, ENDPOINTS.endSession, true]
    )
  })

  for (const [what, keys] of Object.entries({ 'nothing is known': new Map(), 'the issuer tells none': PROBLEM }))
    it(`is there without endpoints while ${what}`, () => {
      const login = loginOf(stateOf([withLogin()], { keys }))
      assert.deepEqual(
        [login?.authorizationEndpoint, login?.tokenEndpoint, login?.endSessionEndpoint, login?.secret],
        ['', '', '', 'shop/web']
      )
    })

  it('changes with what the issuer tells, and with nothing else', () => {
    const inventory = inventoryOf([pod(), withLogin()])
    const known = { ...NOTHING_KNOWN, keys: DISCOVERED }
    const first = meshState(inventory, settings, undefined, NOTHING_KNOWN)
    const second = meshState(inventory, settings, first, known)
    assert.equal(loginOf(second)?.tokenEndpoint, ENDPOINTS.token)
    const third = meshState(inventory, settings, second, { ...known, loginSecrets: secrets('ready') })
    assert.equal(third.workloadsByNode, second.workloadsByNode)
    const fourth = meshState(inventory, settings, third, { ...known, keys: PROBLEM })
    assert.equal(loginOf(fourth)?.tokenEndpoint, '')
  })

  it('takes tokens for its client where the policy names no audience', () => {
    assert.deepEqual(providersOf(stateOf([withLogin()]))[0]?.audiences, ['web'])
    assert.deepEqual(providersOf(stateOf([withLogin({}, { spec: { audiences: ['api'] } })]))[0]?.audiences, ['api'])
    assert.deepEqual(providersOf(stateOf([endUserAuthentication()]))[0]?.audiences, [])
  })

  it('leaves the header for programs where the policy names no place of tokens', () => {
    const [provider] = providersOf(stateOf([withLogin()]))
    assert.deepEqual(
      provider?.fromHeaders.map(({ name }) => name),
      ['authorization']
    )
  })

  it('is none where no policy has one', () => {
    const state = stateOf([endUserAuthentication(), requestAuthentication()], { keys: DISCOVERED })
    assert.deepEqual(
      providersOf(state).map(({ login }) => login),
      [undefined, undefined]
    )
  })

  it('is that of the oldest policy that has one, and of it alone', () => {
    const state = stateOf(
      [
        endUserAuthentication({ name: 'first', created: 1 }),
        withLogin({}, { name: 'third', created: 3 }),
        withLogin({}, { name: 'second', created: 2 })
      ],
      { keys: DISCOVERED }
    )
    assert.deepEqual(
      providersOf(state).map(({ name, login }) => [name.split('/').at(-1), login?.secret]),
      [
        ['first', undefined],
        ['second', 'shop/second'],
        ['third', undefined]
      ]
    )
    assert.deepEqual(problemsOf(state), [
      'login-ignored: EndUserAuthentication shop/third its login has no effect for pods that EndUserAuthentication shop/second selects as well: a proxy does one, that of the oldest policy'
    ])
  })
})

describe('a login that nobody can do', () => {
  const rows: Readonly<Record<string, readonly [Partial<Known>, readonly string[]]>> = {
    'is told of when its secret is missing': [
      { keys: DISCOVERED, loginSecrets: secrets('missing', 'there is no Secret shop/web-login') },
      ['there is no Secret shop/web-login']
    ],
    'is told of when its issuer tells no endpoint': [
      { keys: PROBLEM, loginSecrets: secrets('ready') },
      [`${ISSUER}: none`]
    ],
    'is told of with all reasons': [
      { keys: PROBLEM, loginSecrets: secrets('missing', 'gone') },
      ['gone', `${ISSUER}: none`]
    ],
    'is not told of while the secret is being read': [{ keys: DISCOVERED, loginSecrets: secrets('waiting', 'x') }, []],
    'is not told of while nothing is known': [{}, []],
    'is not told of while there are no keys, which is told elsewhere': [
      { keys: new Map([[ISSUER, { jwks: undefined }]]), loginSecrets: secrets('ready') },
      []
    ],
    'is not told of when it can be done': [{ keys: DISCOVERED, loginSecrets: secrets('ready') }, []]
  }
  for (const [title, [known, reasons]] of Object.entries(rows))
    it(title, () => {
      assert.deepEqual(
        problemsOf(stateOf([withLogin()], known)),
        reasons.map(why => `login-unavailable: EndUserAuthentication shop/web nobody can sign in: ${why}`)
      )
    })

  it('is none where the policy names the endpoints itself', () => {
    const own = { authorizationEndpoint: `${ISSUER}/in`, tokenEndpoint: `${ISSUER}/token` }
    assert.deepEqual(problemsOf(stateOf([withLogin(own)], { keys: PROBLEM, loginSecrets: secrets('ready') })), [])
  })
})
