import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { create, fromBinary, type MessageInitShape } from '@bufbuild/protobuf'
import { anyUnpack } from '@bufbuild/protobuf/wkt'
import { type EndUserChecks, EndUserChecksSchema } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { TypedExtensionConfigSchema } from '../../shared/proto/gen/envoy/config/core/v3/extension_pb.js'
import { HeaderMutationSchema } from '../../shared/proto/gen/envoy/extensions/filters/http/header_mutation/v3/header_mutation_pb.js'
import type { Resource } from '../../shared/xds/index.ts'
import { END_USER_FILTERS, endUserFilters } from './end-user-filters.ts'
import { newState, newWorkload } from './fixtures.test-support.ts'

type ChecksInit = Exclude<MessageInitShape<typeof EndUserChecksSchema>, EndUserChecks>

const STATE = newState({ roots: [], keySets: { keys: '{"keys":[]}' } })
const filtersFor = (checks?: ChecksInit): readonly Resource[] =>
  endUserFilters(newWorkload(checks === undefined ? {} : { endUsers: create(EndUserChecksSchema, checks) }), STATE)
const PROVIDER = { name: 'p', issuer: 'https://i.test', keySet: 'keys' }

/** Of the filter before tokens are looked at. */
function removed(checks: ChecksInit): (header: string) => boolean {
  const [first] = filtersFor(checks)
  assert.ok(first)
  const { typedConfig } = fromBinary(TypedExtensionConfigSchema, first.value)
  const mutation = typedConfig && anyUnpack(typedConfig, HeaderMutationSchema)
  const expressions = (mutation?.mutations?.requestMutations ?? []).flatMap(({ action }) => {
    const pattern = action.case === 'removeOnMatch' ? action.value.keyMatcher?.matchPattern : undefined
    return pattern?.case === 'safeRegex' ? [new RegExp(`^(?:${pattern.value.regex})$`)] : []
  })
  return header => expressions.some(expression => expression.test(header))
}

const typeOf = ({ value }: Resource): string =>
  fromBinary(TypedExtensionConfigSchema, value).typedConfig?.typeUrl.split('.').at(-1) ?? ''

describe('the filters for end users', () => {
  it('stand in places that there always are', () => {
    const places = END_USER_FILTERS.map(({ name }) => name)
    assert.deepEqual(places, [
      'end-users/claimed-headers',
      'end-users/login-cookies',
      'end-users/tokens',
      'end-users/verified',
      'end-users/after-login'
    ])
    for (const checks of [undefined, {}, { providers: [PROVIDER] }])
      assert.deepEqual(
        filtersFor(checks).map(({ name }) => name),
        places
      )
  })

  it('are of a type that their place allows', () => {
    for (const checks of [undefined, {}, { providers: [PROVIDER] }])
      filtersFor(checks).forEach((resource, index) => {
        const place = END_USER_FILTERS[index]?.configType
        assert.ok(place?.case === 'configDiscovery')
        const allowed = place.value.typeUrls.map(url => url.split('.').at(-1))
        assert.ok(allowed.includes(typeOf(resource)), `${typeOf(resource)} is not one of ${allowed.join()}`)
      })
  })

  it('run no script where there is no policy', () => {
    const scripts = (checks?: ChecksInit) =>
      filtersFor(checks)
        .filter(resource => typeOf(resource) === 'Lua')
        .map(({ name }) => name)
    assert.deepEqual(scripts(), [])
    assert.deepEqual(scripts({ providers: [PROVIDER] }), ['end-users/verified'])
  })

  it('are the same objects for all workloads without a policy, whatever the keys', () => {
    const [first, second] = [newWorkload({ uid: 'a' }), newWorkload({ uid: 'b' })]
    assert.equal(endUserFilters(first, STATE), endUserFilters(second, newState({ roots: [] })))
  })

  const CLAIMING = {
    providers: [
      { ...PROVIDER, payloadHeader: 'X-User' },
      { ...PROVIDER, name: 'q', claimHeaders: [{ header: 'x_user.mail', claim: 'mail' }] }
    ]
  }
  for (const name of ['x-user', 'x_user', 'x-user.mail', 'x_user.mail'])
    it(`remove ${name}, which only the proxy sets`, () => assert.ok(removed(CLAIMING)(name)))
  for (const name of ['x-users', 'ax-user', 'xuser', 'x-user-mail', 'x-userxmail', 'authorization'])
    it(`leave ${name} alone`, () => assert.ok(!removed(CLAIMING)(name)))

  const HOLDING = { providers: [{ ...PROVIDER, fromHeaders: [{ name: 'X-Access-Token', prefix: '' }] }] }
  for (const name of ['x_access-token', 'x-access_token', 'x_access_token'])
    it(`remove ${name}, which looks like a header with a token`, () => assert.ok(removed(HOLDING)(name)))
  for (const name of ['x-access-token', 'x-access-tokens'])
    it(`leave ${name} to who verifies it`, () => assert.ok(!removed(HOLDING)(name)))
})
