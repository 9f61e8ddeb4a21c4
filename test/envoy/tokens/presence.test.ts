// Several tokens in one request, of which some must be there; and policies that cannot be understood, which let nothing
// pass. From the policies as they are written to what a real Envoy answers.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { meshState } from '../../../authority/naming/index.ts'
import {
  endUserAuthentication,
  inventoryOf,
  type Manifest,
  pod as podManifest,
  requestAuthentication,
  settings
} from '../../../authority/naming/mesh.test-support.ts'
import type { UnreadablePolicy } from '../../../shared/policy/index.ts'
import { keySet, newSigningKey, signed } from '../../oidc/index.ts'
import { type Checks, startTokenPod, type TokenPod } from './token-pod.ts'

const ISSUERS = ['one', 'two', 'three'] as const
type Issuer = (typeof ISSUERS)[number]
const KEYS = Object.fromEntries(ISSUERS.map(name => [name, newSigningKey('ES256')])) as Record<
  Issuer,
  ReturnType<typeof newSigningKey>
>
const inTenMinutes = (): number => Math.floor(Date.now() / 1000) + 600
const claims = (issuer: Issuer) => ({ iss: `https://${issuer}.test`, sub: `${issuer}-user`, exp: inTenMinutes() })
const GOOD = Object.fromEntries(ISSUERS.map(name => [name, signed(KEYS[name], claims(name))])) as Record<Issuer, string>
const FORGED = Object.fromEntries(ISSUERS.map(name => [name, signed(newSigningKey('ES256'), claims(name))])) as Record<
  Issuer,
  string
>

const KEY_SETS = Object.fromEntries(ISSUERS.map(name => [`https://${name}.test`, keySet(KEYS[name])]))

function checksOf(manifests: readonly Manifest[], unreadablePolicies: readonly UnreadablePolicy[] = []): Checks {
  const state = meshState({ ...inventoryOf([podManifest(), ...manifests]), unreadablePolicies }, settings)
  const checks = state.workloadsByNode.get('node-1')?.get('uid-orders-1')?.endUsers
  assert.ok(checks)
  return { providers: checks.providers, rules: checks.rules }
}

const header = (issuer: Issuer, more: object = {}) => ({
  issuer: `https://${issuer}.test`,
  fromHeaders: [{ name: `x-${issuer}` }],
  ...more
})
const authorization = (issuer: Issuer, more: object = {}) => ({ issuer: `https://${issuer}.test`, ...more })
const web = (...jwtRules: readonly object[]): Manifest => requestAuthentication({ spec: { jwtRules } })
const REQUIRED = { presence: 'REQUIRED' }

/** Tokens by the header that they are sent in. */
type Sent = Readonly<Record<string, string>>
/** A header with several values has a line for each. */
type Lines = Readonly<Record<string, string | readonly string[]>>
const linesOf = (sent: Lines): readonly (readonly [string, string])[] =>
  Object.entries(sent).flatMap(([name, values]) => [values].flat().map(value => [name, value] as const))
const none: Sent = {}
const good = (...issuers: readonly Issuer[]): Sent => Object.fromEntries(issuers.map(name => [`x-${name}`, GOOD[name]]))
const forged = (issuer: Issuer): Sent => ({ [`x-${issuer}`]: FORGED[issuer] })
const bearer = (token: string): Sent => ({ authorization: `Bearer ${token}` })

interface Case {
  readonly says: string
  readonly policies: readonly Manifest[]
  readonly rows: readonly (readonly [sent: Lines, status: number, says: string, query?: string])[]
}

const CASES: readonly Case[] = [
  {
    says: 'one rule is required',
    policies: [web(header('one', REQUIRED))],
    rows: [
      [none, 401, 'no token'],
      [good('one'), 200, 'its token'],
      [forged('one'), 401, 'a forged one'],
      [bearer(GOOD.one), 401, 'its token in a place that it does not look into'],
      [{ 'x-one': GOOD.two }, 401, 'a token of a stranger']
    ]
  },
  {
    says: 'one is required and one is optional, each with a place of its own',
    policies: [web(header('one', REQUIRED), header('two'))],
    rows: [
      [none, 401, 'no token'],
      [good('one'), 200, 'the required one'],
      [good('two'), 401, 'the optional one alone'],
      [good('one', 'two'), 200, 'both'],
      [{ ...good('one'), ...forged('two') }, 401, 'the required one beside a forged optional one'],
      [{ ...forged('one'), ...good('two') }, 401, 'a forged required one']
    ]
  },
  {
    says: 'two are required',
    policies: [web(header('one', REQUIRED), header('two', REQUIRED), header('three'))],
    rows: [
      [none, 401, 'no token'],
      [good('one'), 401, 'the first alone'],
      [good('two'), 401, 'the second alone'],
      [good('one', 'two'), 200, 'both'],
      [good('one', 'two', 'three'), 200, 'all three'],
      [{ ...good('one', 'two'), ...forged('three') }, 401, 'both beside a forged optional one'],
      [{ ...good('one'), ...forged('two') }, 401, 'the first beside a forged second']
    ]
  },
  {
    says: 'both look into the same places, as where none is named',
    policies: [web(authorization('one', REQUIRED), authorization('two'))],
    rows: [
      [none, 401, 'no token'],
      [bearer(GOOD.one), 200, 'the required one'],
      [bearer(GOOD.two), 401, 'the optional one in its place'],
      [bearer(GOOD.three), 401, 'a stranger in its place']
    ]
  },
  {
    says: 'the optional one looks into the place of the required one, and into one of its own',
    policies: [
      web(header('one', REQUIRED), { issuer: 'https://two.test', fromHeaders: [{ name: 'x-one' }, { name: 'x-two' }] })
    ],
    rows: [
      [good('one'), 200, 'the required one'],
      [good('two'), 401, 'the optional one alone'],
      [{ 'x-one': GOOD.two }, 401, 'the optional one in the place of the required one'],
      [{ ...good('one'), ...forged('two') }, 401, 'the required one beside a forged one in the place of the other'],
      [{ ...good('one'), 'x-two': GOOD.one }, 401, 'the required one in both places'],
      [{ ...good('one'), 'x-two': GOOD.three }, 401, 'the required one beside one of a stranger'],
      [{ ...good('one'), 'x-two': 'a.b' }, 401, 'the required one beside what is no token']
    ]
  },
  {
    says: 'the optional one looks into the same header and into a parameter',
    policies: [
      web(
        authorization('one', { ...REQUIRED, fromHeaders: [{ name: 'Authorization', prefix: 'Bearer ' }] }),
        authorization('two')
      )
    ],
    rows: [
      [none, 401, 'no token'],
      [bearer(GOOD.one), 200, 'the required one'],
      ...['access_token', 'access%5ftoken', 'a=b&access_token', 'access_token=&access_token'].map(
        param => [bearer(GOOD.one), 401, `a forged one in ${param}`, `?${param}=${FORGED.two}`] as const
      ),
      [bearer(GOOD.one), 401, 'one of a stranger', `?access_token=${GOOD.three}`],
      [bearer(GOOD.one), 401, 'what is no token', '?access_token=x'],
      [bearer(GOOD.one), 401, 'a forged one behind a semicolon', `?x=1;access_token=${FORGED.two}`],
      [bearer(GOOD.one), 401, 'a forged one with brackets', `?access_token[]=${FORGED.two}`],
      [bearer(GOOD.one), 200, 'another parameter', '?access=x']
    ]
  },
  {
    says: 'the optional one looks where it would with none named, and the required one elsewhere',
    policies: [web(header('one', REQUIRED), authorization('two'))],
    rows: [
      [good('one'), 200, 'the required one'],
      [{ ...good('one'), ...bearer(GOOD.two) }, 200, 'both'],
      [good('one'), 200, 'both, one in a parameter', `?access_token=${GOOD.two}`],
      [{ ...good('one'), authorization: 'Basic eDp4' }, 200, 'the required one beside a password'],
      ...['Bearer ', 'bearer ', 'bEARER ', 'Bearer\t', 'bearer:'].map(
        prefix => [{ ...good('one'), authorization: `${prefix}${FORGED.two}` }, 401, `a forged one: ${prefix}`] as const
      ),
      [good('one'), 401, 'a forged one in a parameter', `?access_token=${FORGED.two}`],
      [good('one'), 401, 'a forged one behind a semicolon', `?x=1;access_token=${FORGED.two}`],
      [good('one'), 401, 'a forged one with a bracket', `?access[token=${FORGED.two}`]
    ]
  },
  {
    says: 'two are optional, with a header and cookies that they share with it and with each other',
    policies: [
      web(
        header('one', REQUIRED),
        { issuer: 'https://two.test', fromHeaders: [{ name: 'x-one' }], fromCookies: ['two'] },
        { issuer: 'https://three.test', fromCookies: ['two', 'three'] }
      )
    ],
    rows: [
      [good('one'), 200, 'the required one'],
      [good('two'), 401, 'none in its place'],
      ...['two', 'three', '"two"', 'x=y; three'].flatMap(name => [
        [{ ...good('one'), cookie: `${name}=${FORGED.two}` }, 401, `a forged one in ${name}`] as const,
        [{ ...good('one'), cookie: `${name}=${FORGED.three}` }, 401, `a forged one in ${name}`] as const
      ]),
      [{ ...good('one'), cookie: `three=${GOOD.three}` }, 200, 'the third in a place of its own'],
      [{ ...good('one'), cookie: `three=${GOOD.three}; two=${FORGED.two}` }, 401, 'and beside it a forged one'],
      [{ ...good('one'), cookie: 'four=x' }, 200, 'another cookie']
    ]
  },
  {
    says: 'two are optional, of which one shares a place with it and the other a place with that',
    policies: [
      web(
        { issuer: 'https://three.test', fromHeaders: [{ name: 'x-three' }] },
        { issuer: 'https://two.test', fromHeaders: [{ name: 'x-three' }, { name: 'x-one' }] },
        header('one', REQUIRED)
      )
    ],
    rows: [
      [good('one'), 200, 'the required one'],
      [good('three'), 401, 'an optional one alone'],
      [{ ...good('one'), ...forged('three') }, 401, 'the required one beside a forged one'],
      [{ ...good('one'), 'x-three': FORGED.two }, 401, 'the required one beside another forged one']
    ]
  },
  {
    says: 'headers differ in what stands before the token only',
    policies: [
      web(
        { issuer: 'https://one.test', fromHeaders: [{ name: 'x-one', prefix: 'A ' }], ...REQUIRED },
        {
          issuer: 'https://two.test',
          fromHeaders: [
            { name: 'x-one', prefix: 'B ' },
            { name: 'x-one', prefix: 'A ' }
          ]
        }
      )
    ],
    rows: [
      [{ 'x-one': `A ${GOOD.one}` }, 200, 'the required one'],
      [{ 'x-one': `A ${GOOD.one}, B ${FORGED.two}` }, 401, 'a forged one behind it'],
      [{ 'x-one': [`A ${GOOD.one}`, `B ${FORGED.two}`] }, 401, 'a forged one on a line of its own']
    ]
  },
  {
    says: 'two policies mean its token, and an optional one looks there and elsewhere',
    policies: [
      web(header('one', REQUIRED), {
        issuer: 'https://two.test',
        fromHeaders: [{ name: 'x-one' }, { name: 'x-two' }]
      }),
      requestAuthentication({ name: 'again', spec: { jwtRules: [header('one', REQUIRED)] } })
    ],
    rows: [
      [good('one'), 200, 'that token'],
      [{ ...good('one'), ...forged('two') }, 401, 'that token beside a forged one']
    ]
  },
  {
    says: 'an EndUserAuthentication selects the workload as well',
    policies: [
      web(header('two', REQUIRED)),
      endUserAuthentication({
        spec: { issuer: 'https://one.test', includePaths: ['/x'], fromHeaders: [{ name: 'x-one' }] }
      })
    ],
    rows: [
      [none, 401, 'no token'],
      [good('one'), 401, 'the token of the EndUserAuthentication alone'],
      [good('two'), 401, 'the token of the RequestAuthentication alone'],
      [good('one', 'two'), 200, 'both']
    ]
  },
  {
    says: 'both policies mean one and the same token',
    policies: [
      web(authorization('one', REQUIRED)),
      endUserAuthentication({ spec: { issuer: 'https://one.test', includePaths: ['/x'] } })
    ],
    rows: [
      [none, 401, 'no token'],
      [bearer(GOOD.one), 200, 'that token'],
      [bearer(FORGED.one), 401, 'a forged one']
    ]
  }
]

describe('a rule with presence: REQUIRED', () => {
  let pod: TokenPod
  before(async () => {
    pod = await startTokenPod('127.83.71')
  })
  after(() => pod?.stop())

  for (const { says, policies, rows } of CASES)
    it(`demands its token, whatever other tokens there are, where ${says}`, async t => {
      await pod.apply(checksOf(policies), KEY_SETS)
      for (const [sent, status, what, query = ''] of rows) {
        const answer = await pod.ask({ target: `/x${query}`, headers: linesOf(sent) })
        assert.equal(answer.status, status, `${what}: ${answer.body}`)
        assert.equal(answer.seen !== undefined, status === 200, what)
        // No policy forwards its token.
        const { authorization: password, ...seen } = answer.seen?.headers ?? {}
        assert.ok(password === undefined || String(password).startsWith('Basic '), what)
        for (const name of ['x-one', 'x-two', 'x-three']) assert.equal(seen[name], undefined, what)
      }
      t.diagnostic(`${rows.length} requests`)
    })

  it('hands on what each token says', async () => {
    const output = (name: string) => ({ outputClaimToHeaders: [{ header: name, claim: 'sub' }] })
    const rules = [header('one', { ...REQUIRED, ...output('x-first') }), header('two', output('x-second'))]
    await pod.apply(checksOf([web(...rules)]), KEY_SETS)
    const ask = (sent: Sent) => pod.ask({ headers: [...Object.entries(sent), ['x-second', 'forged']] })
    const both = await ask(good('one', 'two'))
    assert.deepEqual([both.seen?.headers['x-first'], both.seen?.headers['x-second']], ['one-user', 'two-user'])
    const first = await ask(good('one'))
    assert.deepEqual([first.seen?.headers['x-first'], first.seen?.headers['x-second']], ['one-user', undefined])
  })

  it('refuses a forged optional token beside it in every spelling of a path, and where another policy decides', async () => {
    const two = { issuer: 'https://two.test', fromHeaders: [{ name: 'x-one' }, { name: 'x-two' }] }
    const paths = endUserAuthentication({
      spec: { issuer: 'https://three.test', includePaths: ['/x'], fromHeaders: [{ name: 'x-three' }] }
    })
    await pod.apply(checksOf([web(header('one', REQUIRED), two), paths]), KEY_SETS)
    const ask = async (target: string, sent: Sent) => (await pod.ask({ target, headers: Object.entries(sent) })).status
    for (const target of ['/x', '//x', '/y', '/y/%2e./x', '/x;y']) {
      assert.equal(await ask(target, good('one', 'three')), 200, target)
      if (target !== '/x') assert.equal(await ask(target, { ...good('one', 'three'), ...forged('two') }), 401, target)
    }
    assert.equal(await ask('/y', good('one')), 200)
    assert.equal(await ask('/y', { ...good('one'), 'x-three': 'x' }), 200, 'a place of the policy that does not decide')
  })

  it('hands on no number that is not exact, whichever of several tokens has it', async t => {
    const output = { outputClaimToHeaders: [{ header: 'x-id', claim: 'id' }] }
    const withId = (issuer: Issuer, id: unknown): Sent => ({
      [`x-${issuer}`]: signed(KEYS[issuer], { ...claims(issuer), id })
    })
    const policies: readonly (readonly [Issuer, readonly Manifest[]])[] = [
      ['one', [web(header('one', { ...REQUIRED, ...output }), header('two', REQUIRED))]],
      ['two', [web(header('one', REQUIRED), header('two', { ...REQUIRED, ...output }))]],
      ['one', [web(header('one', { ...REQUIRED, ...output }), header('two'))]],
      ['two', [web(header('one', REQUIRED), header('two', output))]],
      [
        'one',
        [
          web(header('two', REQUIRED)),
          endUserAuthentication({ spec: { issuer: 'https://one.test', fromHeaders: [{ name: 'x-one' }], ...output } })
        ]
      ]
    ]
    const inexact = [2 ** 53, -(2 ** 53), 2 ** 64, [2 ** 53], { n: [2 ** 53] }]
    for (const [issuer, manifests] of policies) {
      await pod.apply(checksOf(manifests), KEY_SETS)
      const ask = (id: unknown) =>
        pod.ask({ headers: Object.entries({ ...good('one', 'two'), ...withId(issuer, id) }) })
      for (const id of inexact) {
        const { status, seen } = await ask(id)
        assert.deepEqual([status, seen], [401, undefined], `${issuer}: ${JSON.stringify(id)}`)
      }
      assert.equal((await ask(2 ** 53 - 1)).seen?.headers['x-id'], String(2 ** 53 - 1))
      // A claim of the other token, which goes into no header, may be any number.
      const other = issuer === 'one' ? 'two' : 'one'
      const sent = { ...withId(issuer, 7), ...withId(other, 2 ** 53) }
      assert.equal((await pod.ask({ headers: Object.entries(sent) })).seen?.headers['x-id'], '7')
    }
    t.diagnostic(`${inexact.length * policies.length} requests refused`)
  })

  it('hands on a whole payload as it is, whatever numbers it has', async () => {
    await pod.apply(checksOf([web(header('one', { ...REQUIRED, outputPayloadToHeader: 'x-payload' }))]), KEY_SETS)
    const token = signed(KEYS.one, { ...claims('one'), id: 2 ** 53 })
    const { seen } = await pod.ask({ headers: [['x-one', token]] })
    const payload = (encoded: unknown) => Buffer.from(String(encoded), 'base64url').toString()
    assert.equal(payload(seen?.headers['x-payload']), payload(token.split('.')[1]))
  })
})

describe('a rule with presence: OPTIONAL', () => {
  let pod: TokenPod
  before(async () => {
    pod = await startTokenPod('127.83.73')
  })
  after(() => pod?.stop())

  const exempt = (name: string, ...jwtRules: readonly object[]): Manifest => ({
    ...requestAuthentication({ name, spec: { jwtRules } }),
    metadata: { namespace: 'shop', name, annotations: { 'countersign.dev/exempt-ports': String(pod.port('http')) } }
  })
  const ask = (sent: Sent, port: 'http' | 'unknown') => pod.ask({ headers: Object.entries(sent) }, port)
  const UNSEEN: Sent = { authorization: `bEARER ${FORGED.two}` }

  it('refuses no spelling of a token on a port that is exempt', async () => {
    await pod.apply(checksOf([exempt('web', authorization('two'))]), KEY_SETS)
    assert.equal((await ask(UNSEEN, 'http')).status, 200)
    assert.equal((await ask(UNSEEN, 'unknown')).status, 401)
  })

  it('refuses no token on a port that is exempt, where another that is not exempt is required', async () => {
    const two = { issuer: 'https://two.test', fromHeaders: [{ name: 'x-one' }, { name: 'x-two' }] }
    await pod.apply(checksOf([web(header('one', REQUIRED)), exempt('optional', two)]), KEY_SETS)
    const sent = { ...good('one'), ...forged('two') }
    assert.equal((await ask(sent, 'http')).status, 200)
    assert.equal((await ask(sent, 'unknown')).status, 401)
  })
})

describe('a policy that cannot be understood', () => {
  let pod: TokenPod
  before(async () => {
    pod = await startTokenPod('127.83.72')
  })
  after(() => pod?.stop())

  const unreadable: UnreadablePolicy = {
    kind: 'RequestAuthentication',
    namespace: 'shop',
    name: 'p',
    issues: ['spec.selectors: unknown field']
  }
  const REQUESTS = [
    { says: 'no token', request: {} },
    { says: 'a token that another policy accepts', request: { headers: Object.entries(good('one')) } },
    { says: 'a token in Authorization', request: { token: GOOD.one } },
    { says: 'a path that another policy leaves open', request: { target: '/open' } },
    { says: 'an unusual path', request: { target: '//x/..%2f' } },
    { says: 'a token in the query', request: { target: `/?access_token=${GOOD.one}` } },
    { says: 'another method', request: { method: 'POST' } },
    { says: 'no more than its head', request: { method: 'HEAD' } }
  ] as const

  for (const port of ['http', 'http2', 'unknown'] as const)
    it(`lets no request pass, and then again as before when it is mended: on a port that is ${port}`, async t => {
      const others = [
        web(header('one')),
        endUserAuthentication({
          spec: { issuer: 'https://two.test', excludePaths: ['/open'], fromHeaders: [{ name: 'x-two' }] }
        })
      ]
      await pod.apply(checksOf(others, [unreadable]), KEY_SETS)
      for (const { says, request } of REQUESTS) {
        const answer = await pod.ask(request, port)
        assert.equal(answer.status, 401, says)
        assert.equal(answer.seen, undefined, says)
      }
      await pod.apply(checksOf(others), KEY_SETS)
      assert.equal((await pod.ask({ target: '/open' }, port)).status, 200)
      assert.equal((await pod.ask({ headers: Object.entries(good('two')) }, port)).status, 200)
      assert.equal((await pod.ask({}, port)).status, 401)
      t.diagnostic(`${REQUESTS.length} requests refused`)
    })

  it('lets no request of another workload pass, either', async () => {
    await pod.apply(checksOf([], [unreadable]), KEY_SETS)
    assert.equal((await pod.askAsPeer({})).status, 401)
    assert.equal((await pod.askAsPeer({ token: GOOD.one })).status, 401)
  })
})
