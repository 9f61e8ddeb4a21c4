import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  type EndUserChecks,
  EndUserChecksSchema,
  KeySetSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type {
  JwtAuthentication,
  JwtProvider
} from '../../shared/proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'
import { tokenRules } from './token-rules.ts'

type ChecksInit = Exclude<MessageInitShape<typeof EndUserChecksSchema>, EndUserChecks>

const KEYS = '{"keys":[{"kty":"EC"}]}'
const rulesFor = (init: ChecksInit, jwks: string | undefined = KEYS): JwtAuthentication =>
  tokenRules(
    create(EndUserChecksSchema, init),
    new Map(jwks === undefined ? [] : [['keys', create(KeySetSchema, { jwks })]])
  )
const provider = (init: object = {}, jwks?: string): JwtProvider => {
  const { providers } = rulesFor(
    { providers: [{ name: 'p', issuer: 'https://i.test', keySet: 'keys', ...init }] },
    jwks
  )
  assert.ok(providers['p'])
  return providers['p']
}
const keysOf = ({ jwksSourceSpecifier: source }: JwtProvider): unknown =>
  source.case === 'localJwks' && source.value.specifier.case === 'inlineString' && source.value.specifier.value

describe('a provider', () => {
  it('has the keys of its set', () => assert.equal(keysOf(provider()), KEYS))

  for (const [which, jwks] of Object.entries({ 'are none': '', 'were not heard of': 'another set' }))
    it(`has one key that fits no token while its keys ${which}`, () => {
      const given = jwks === '' ? provider({}, '') : provider({ keySet: jwks }, KEYS)
      const { keys } = JSON.parse(String(keysOf(given)))
      assert.deepEqual(
        keys.map(({ kid }: { kid: string }) => kid),
        ['countersign.dev/nobody']
      )
    })

  it('looks where Envoy would where no place is named, and takes the scheme in small letters as well', () => {
    const { fromHeaders, fromParams, fromCookies } = provider()
    assert.deepEqual(
      fromHeaders.map(({ name, valuePrefix }) => `${name}: ${valuePrefix}`),
      ['authorization: Bearer ', 'authorization: bearer ', 'authorization: BEARER ']
    )
    assert.deepEqual([fromParams, fromCookies], [['access_token'], []])
  })

  it('looks nowhere else where a place is named', () => {
    const { fromHeaders, fromParams, fromCookies } = provider({ fromCookies: ['session'] })
    assert.deepEqual([fromHeaders, fromParams, fromCookies], [[], [], ['session']])
  })

  it('leaves the prefix of another header as it is', () => {
    const { fromHeaders } = provider({ fromHeaders: [{ name: 'x-token', prefix: 'Bearer ' }] })
    assert.deepEqual(
      fromHeaders.map(({ valuePrefix }) => valuePrefix),
      ['Bearer ']
    )
  })

  it('lets Envoy remove no token: what stands in every place is looked at afterwards', () => {
    for (const init of [{ fromHeaders: [{ name: 'x-token' }] }, { fromParams: ['token'] }, { forward: true }])
      assert.equal(provider(init).forward, true)
  })

  it('has lists that are written with spaces, each once', () => {
    const { normalizePayloadInMetadata } = provider({ spaceDelimitedClaims: ['groups', 'scope'] })
    assert.deepEqual(normalizePayloadInMetadata?.spaceDelimitedClaims, ['permission', 'scope', 'groups'])
  })
})

describe('rules', () => {
  const PROVIDERS = ['a', 'b'].map(name => ({ name, issuer: `https://${name}.test`, keySet: 'keys' }))
  const shape = (requirement: unknown): unknown =>
    JSON.parse(JSON.stringify(requirement, (key, value) => (key === '$typeName' ? undefined : value)))
  const requirements = (rule: object): readonly unknown[] =>
    rulesFor({ providers: PROVIDERS, rules: [rule] })
      .rules.slice(1)
      .map(({ requirementType }) => shape(requirementType.value))
  const of = (name: string) => ({ requiresType: { case: 'providerName', value: name } })
  const missing = { requiresType: { case: 'allowMissing', value: {} } }
  const list = (how: string, ...requirements_: unknown[]) => ({
    requiresType: { case: how, value: { requirements: requirements_ } }
  })

  it('need the token of their one provider', () =>
    assert.deepEqual(requirements({ providers: ['a'], required: true }), [of('a')]))

  it('need the token of any of several', () =>
    assert.deepEqual(requirements({ providers: ['a', 'b'], required: true }), [list('requiresAny', of('a'), of('b'))]))

  it('take none for as good where none is required', () =>
    assert.deepEqual(requirements({ providers: ['a'] }), [list('requiresAny', of('a'), missing)]))

  it('take none of all for as good, but not one of a stranger', () =>
    assert.deepEqual(requirements({ providers: ['a', 'b'] }), [
      list(
        'requiresAny',
        of('a'),
        of('b'),
        list('requiresAll', list('requiresAny', of('a'), missing), list('requiresAny', of('b'), missing))
      )
    ]))

  it('need the token of each that is required as well, and no wrong one of those that are not', () => {
    const places = ['a', 'b', 'c'].map(name => ({
      name,
      issuer: `https://${name}.test`,
      keySet: 'keys',
      fromHeaders: [{ name: `x-${name}` }]
    }))
    const rule = { providers: ['a'], required: true, alsoRequired: ['b'], optionalProviders: ['c'] }
    const { rules, providers } = rulesFor({ providers: places, rules: [rule] })
    // The first is for preflights, which need none.
    assert.deepEqual(
      rules.slice(1).map(({ requirementType }) => shape(requirementType.value)),
      [list('requiresAll', list('requiresAny', of('c'), missing), of('a'), of('b'))]
    )
    // One token may be meant by two: nobody removes it before all have looked for it.
    assert.deepEqual(
      Object.values(providers).map(({ forward }) => forward),
      [true, true, true]
    )
  })

  it('do not ask for an optional token where only required ones can be', () => {
    const rule = { providers: ['a'], required: true, optionalProviders: ['b'] }
    assert.deepEqual(requirements(rule), [of('a')])
  })

  it('stay in their order', () => {
    const { rules } = rulesFor({
      providers: PROVIDERS,
      rules: [
        { providers: ['b'], required: true },
        { providers: ['a'], required: true }
      ]
    })
    assert.deepEqual(
      rules.slice(1).map(({ requirementType }) => shape(requirementType.value)),
      [of('b'), of('a')]
    )
  })

  it('need in an unusual spelling what any rule from there on needs: the path may be one of each', () => {
    const { rules } = rulesFor({
      providers: PROVIDERS,
      rules: [
        { includePaths: ['/a'], providers: ['a'], required: true },
        { includePaths: ['/b'], providers: ['b'], required: true },
        { providers: ['a', 'b'] }
      ]
    })
    const both = list('requiresAll', of('a'), of('b'))
    assert.deepEqual(
      rules.slice(1, 9).map(({ requirementType }) => shape(requirementType.value)),
      [both, both, both, of('a'), of('b'), of('b'), of('b'), of('b')]
    )
  })

  const matches = (rule: object) =>
    rulesFor({ providers: PROVIDERS, rules: [{ providers: ['a'], required: true, ...rule }] })
      .rules.slice(1)
      .map(({ match }) => ({
        path: match?.pathSpecifier.case,
        headers: match?.headers.map(({ name, invertMatch }) => `${invertMatch ? 'not ' : ''}${name}`)
      }))

  it('hold for every path in one where no path is named', () =>
    assert.deepEqual(matches({}), [{ path: 'prefix', headers: [] }]))

  it('hold for unusual spellings before anything is left out', () =>
    assert.deepEqual(matches({ excludePaths: ['/open'] }), [
      { path: 'safeRegex', headers: [] },
      { path: 'prefix', headers: ['not :path'] },
      { path: 'prefix', headers: ['not x-countersign-path'] },
      { path: 'prefix', headers: ['not :path'] }
    ]))

  it('hold for methods, in every spelling of a path', () =>
    assert.deepEqual(matches({ includePaths: ['/x'], methods: ['GET'] }), [
      { path: 'safeRegex', headers: ['not x-countersign-method'] },
      { path: 'prefix', headers: ['not x-countersign-method', 'not :path'] },
      { path: 'prefix', headers: ['not x-countersign-method', 'not x-countersign-path'] },
      { path: 'safeRegex', headers: ['not x-countersign-method'] }
    ]))

  it('hold on every port but those that are exempt, in every spelling of a path', () =>
    assert.deepEqual(matches({ includePaths: ['/x'], exemptPorts: [8081, 9090] }), [
      { path: 'safeRegex', headers: ['not x-countersign-port'] },
      { path: 'prefix', headers: ['not x-countersign-port', 'not :path'] },
      { path: 'prefix', headers: ['not x-countersign-port', 'not x-countersign-path'] },
      { path: 'safeRegex', headers: ['not x-countersign-port'] }
    ]))

  it('let browsers ask first, and have none where there is nothing to ask', () => {
    const [first] = rulesFor({ providers: PROVIDERS, rules: [{ providers: ['a'] }] }).rules
    assert.equal(first?.requirementType.case, undefined)
    assert.deepEqual(
      first?.match?.headers.map(({ name }) => name),
      ['x-countersign-method', 'origin', 'access-control-request-method']
    )
    assert.deepEqual(rulesFor({}).rules, [])
  })
})
