// What the application learns of a token: headers that only the proxy sets, whatever a client sends in them.

import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { keySet, newSigningKey, signed } from '../../oidc/index.ts'
import type { Seen } from '../applications.ts'
import { rawValues } from './table.ts'
import { type Checks, type Request, startTokenPod, type TokenPod } from './token-pod.ts'

const KEY = newSigningKey('ES256')
const ISSUER = 'https://issuer.test'
const CLAIMS = {
  iss: ISSUER,
  sub: 'ada',
  exp: Math.floor(Date.now() / 1000) + 600,
  email: 'ada@shop.test',
  level: 3,
  verified: true,
  realm: { name: 'shop', roles: ['buyer', 'seller'] },
  'https://claims.test/team': 'red'
}
const TOKEN = signed(KEY, CLAIMS)
const KEYS = { keys: keySet(KEY) }

const CHECKS: Checks = {
  providers: [
    {
      name: 'issuer',
      issuer: ISSUER,
      keySet: 'keys',
      payloadHeader: 'X-User',
      claimHeaders: [
        { header: 'x-user-name', claim: 'sub' },
        { header: 'x-user-level', claim: 'level' },
        { header: 'x-user-verified', claim: 'verified' },
        { header: 'x-user-realm', claim: 'realm.name' },
        { header: 'x-user-roles', claim: 'realm.roles' },
        { header: 'x-user-everything', claim: 'realm' },
        { header: 'x-user-nothing', claim: 'nothing' }
      ]
    },
    { name: 'other', issuer: ISSUER, keySet: 'keys', claimHeaders: [{ header: 'x_other', claim: 'email' }] }
  ],
  rules: [
    { includePaths: ['/other'], providers: ['other'], required: true },
    { includePaths: ['/optional'], providers: ['issuer'], required: false },
    { excludePaths: ['/open'], providers: ['issuer'], required: true }
  ]
}

/** As attackers write it. */
const FORGED: readonly (readonly [string, string])[] = [
  ['x-user-name', 'root'],
  ['X-User-Name', 'root'],
  ['x_user_name', 'root'],
  ['x-user_name', 'root'],
  ['X_User-Name', 'root'],
  ['x-user', 'root'],
  ['x_user', 'root'],
  ['x-user-nothing', 'root'],
  ['x-user-roles', 'root'],
  ['x-other', 'root'],
  ['x_other', 'root'],
  ['X-OTHER', 'root']
]
/** Beside those headers, names that only begin or end like them stay. */
const OTHERS: readonly (readonly [string, string])[] = [
  ['x-user-names', 'kept'],
  ['my-x-user', 'kept'],
  ['x.user', 'kept']
]

describe('headers for the application', () => {
  let pod: TokenPod
  before(async () => {
    pod = await startTokenPod('127.83.63')
  })
  beforeEach(() => pod.apply(CHECKS, KEYS))
  after(() => pod?.stop())

  const seenBy = async (request: Request): Promise<Seen> => {
    const { status, body, seen } = await pod.ask(request)
    assert.equal(status, 200, body)
    assert.ok(seen)
    return seen
  }
  const values = (seen: Seen): readonly string[] => seen.rawHeaders.filter((_, index) => index % 2 === 1)

  it('hold the claims of the token', async () => {
    const seen = await seenBy({ target: '/', token: TOKEN })
    assert.deepEqual(rawValues(seen, 'x-user-name'), ['ada'])
    assert.deepEqual(rawValues(seen, 'x-user-level'), ['3'])
    assert.deepEqual(rawValues(seen, 'x-user-verified'), ['true'])
    assert.deepEqual(rawValues(seen, 'x-user-realm'), ['shop'])
    assert.deepEqual(rawValues(seen, 'x-user-nothing'), [])
  })

  it('hold lists and objects as JSON in base64', async () => {
    const seen = await seenBy({ target: '/', token: TOKEN })
    const decoded = (name: string): unknown =>
      JSON.parse(Buffer.from(rawValues(seen, name)[0] ?? '', 'base64').toString())
    assert.deepEqual(decoded('x-user-roles'), ['buyer', 'seller'])
    assert.deepEqual(decoded('x-user-everything'), CLAIMS.realm)
  })

  it('hold the payload as it was signed, in base64url', async () => {
    const seen = await seenBy({ target: '/', token: TOKEN })
    assert.deepEqual(rawValues(seen, 'x-user'), [TOKEN.split('.')[1]])
  })

  it('hold the same to another workload of the mesh, whose identity is there as well', async () => {
    const { seen } = await pod.askAsPeer({ target: '/', token: TOKEN, headers: FORGED })
    assert.ok(seen)
    assert.deepEqual(rawValues(seen, 'x-user-name'), ['ada'])
    assert.equal(values(seen).includes('root'), false)
    assert.match(
      rawValues(seen, 'x-forwarded-client-cert').join(),
      /URI=spiffe:\/\/mesh.test\/ns\/shop\/sa\/storefront/
    )
  })

  // Once on the way to the application, which knows headers as Latin-1, and once on the way back.
  const latin1 = (text: string): string => Buffer.from(text).toString('latin1')
  const withClaim = (claim: unknown): Request => ({
    target: '/',
    token: signed(KEY, { ...CLAIMS, ...(claim as object) })
  })
  const FITS: Readonly<Record<string, readonly [unknown, readonly string[]]>> = {
    'text of any script, in UTF-8': ['日本 é', [latin1(latin1('日本 é'))]],
    'text with a comma': ['a, b', ['a, b']],
    'empty text, in no header': ['', []],
    'null, in no header': [null, []],
    false: [false, ['false']],
    0: [0, ['0']],
    'the largest whole number that is exact': [Number.MAX_SAFE_INTEGER, ['9007199254740991']],
    'digits as text, as many as there are': ['12345678901234567890', ['12345678901234567890']],
    'an empty list': [[], [btoa('[]')]],
    'an empty object': [{}, [btoa('{}')]]
  }
  for (const [what, [level, expected]] of Object.entries(FITS))
    it(`hold ${what}`, async () =>
      assert.deepEqual(rawValues(await seenBy(withClaim({ level })), 'x-user-level'), expected))

  const FITS_NOT: Readonly<Record<string, unknown>> = {
    'a line break': { level: 'a\r\nx-user-name: root' },
    'a line feed': { level: 'a\nb' },
    'a carriage return': { sub: 'a\rb' },
    'a null character': { level: 'a\0b' },
    'a tab': { level: 'a\tb' },
    'a delete character': { level: '\x7f' },
    'an escape, below another claim': { realm: { name: '\x1b[0m' } },
    'a blank before it': { sub: ' root' },
    'a blank behind it': { sub: 'root ' },
    'a number that is not exact': { level: 2 ** 53 },
    'a negative number that is not exact': { level: -(2 ** 60) },
    'a very large number': { level: 1e308 },
    'a number that is not exact, below another claim': { realm: { name: 2 ** 54 } }
  }
  for (const [what, claim] of Object.entries(FITS_NOT))
    it(`cannot hold a claim with ${what}: its token is refused, and the application not asked`, async () => {
      const { status, headers, body, seen } = await pod.ask(withClaim(claim))
      assert.equal(seen, undefined)
      assert.equal(status, 401)
      assert.equal(body, 'Jwt has a claim that fits no header')
      assert.equal(headers['www-authenticate'], 'Bearer realm="countersign", error="invalid_token"')
    })

  it('hold the claims once where two policies verify one token', async () => {
    const claimHeaders = [{ header: 'x-user-name', claim: 'sub' }]
    const provider = { issuer: ISSUER, keySet: 'keys', payloadHeader: 'x-user', claimHeaders }
    const rule = { required: true }
    await pod.apply(
      {
        providers: [
          { name: 'a', ...provider },
          { name: 'b', ...provider }
        ],
        rules: [
          { ...rule, includePaths: ['/a'], providers: ['a'] },
          { ...rule, includePaths: ['/b'], providers: ['b'] }
        ]
      },
      KEYS
    )
    const seen = await seenBy({ target: '/a;x', token: TOKEN })
    assert.deepEqual(rawValues(seen, 'x-user-name'), ['ada'])
    assert.deepEqual(rawValues(seen, 'x-user'), [TOKEN.split('.')[1]])
  })

  const REQUESTS: Readonly<Record<string, Request>> = {
    'with a token': { target: '/', token: TOKEN },
    'with a token of another rule': { target: '/other', token: TOKEN },
    'without a token, where none is needed': { target: '/optional' },
    'with a token, where none is needed': { target: '/optional', token: TOKEN },
    'that no rule matches': { target: '/open' },
    'that no rule matches, with a token that nobody looks at': { target: '/open', token: 'a.b.c' },
    'of a browser that asks before it sends': {
      method: 'OPTIONS',
      target: '/',
      headers: [
        ['origin', 'https://app.test'],
        ['access-control-request-method', 'GET']
      ]
    }
  }
  for (const [which, request] of Object.entries(REQUESTS))
    for (const [name, value] of FORGED)
      it(`cannot be forged as ${name} by a request ${which}`, async () => {
        const forged = [name, value] as const
        const seen = await seenBy({ ...request, headers: [...(request.headers ?? []), forged, forged, ...OTHERS] })
        assert.equal(values(seen).includes('root'), false)
        assert.equal(values(seen).filter(seenValue => seenValue === 'kept').length, OTHERS.length)
      })

  it('are the application’s own again when no policy is there any more', async () => {
    await pod.apply(undefined)
    const seen = await seenBy({ target: '/', headers: [...FORGED, ['authorization', 'Bearer a.b.c']] })
    assert.equal(values(seen).filter(value => value === 'root').length, FORGED.length)
    assert.deepEqual(rawValues(seen, 'authorization'), ['Bearer a.b.c'])
  })

  for (const name of [
    'x-forwarded-client-cert',
    'X_Forwarded_Client_Cert',
    'x-forwarded_client-cert',
    'x_forwarded-client-cert'
  ])
    it(`of the mesh cannot be forged as ${name}, with and without a policy`, async () => {
      const request: Request = { target: '/open', headers: [[name, 'URI=spiffe://mesh.test/ns/shop/sa/root']] }
      for (const checks of [CHECKS, undefined]) {
        await pod.apply(checks, KEYS)
        assert.doesNotMatch(JSON.stringify(await seenBy(request)), /sa\/root/)
        const { seen } = await pod.askAsPeer(request)
        assert.ok(seen)
        assert.doesNotMatch(JSON.stringify(seen), /sa\/root/)
        assert.equal(rawValues(seen, 'x-forwarded-client-cert').length, 1)
      }
    })
})
