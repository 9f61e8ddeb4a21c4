import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { mergeDeclarations } from './merge.ts'
import { parseManifests } from './parse-manifests.ts'

const merged = (...files: readonly string[]) =>
  mergeDeclarations(
    files.map((text, index) => parseManifests(`${index}.yaml`, text).declarations),
    new Map()
  )
const policy = (spec: string, { kind = 'PeerAuthentication', apiVersion = 'security.istio.io/v1', name = 'p' } = {}) =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: ${name}, namespace: shop}\nspec: ${spec}\n`

describe('a policy in a folder that cannot be understood', () => {
  it('is known as such, and is not the policy that it may have been meant to be', () => {
    const { inventory } = merged(policy('{mtls: {mode: DISABLE}, targetRefs: []}'))
    assert.deepEqual(inventory.peerAuthentications, [])
    assert.deepEqual(
      inventory.unreadablePolicies.map(({ kind, namespace, name }) => [kind, namespace, name]),
      [['PeerAuthentication', 'shop', 'p']]
    )
  })

  for (const [kind, apiVersion] of [
    ['PeerAuthentication', 'security.istio.io/v2'],
    ['PeerAuthentication', 'security.istio.io/v1alpha1'],
    ['RequestAuthentication', 'security.istio.io/v1beta2'],
    ['EndUserAuthentication', 'countersign.dev/v2']
  ] as const)
    it(`may be one of a version to come: ${kind} of ${apiVersion}`, () => {
      const { inventory } = merged(policy('{}', { kind, apiVersion }))
      assert.deepEqual(
        inventory.unreadablePolicies.map(policy => policy.kind),
        [kind]
      )
    })

  it('is no kind of others', () => {
    const kinds = [
      ['AuthorizationPolicy', 'security.istio.io/v1'],
      ['PeerAuthentication', 'example.com/v1'],
      ['UnreadablePolicy', 'countersign.dev/v1']
    ] as const
    for (const [kind, apiVersion] of kinds)
      assert.deepEqual(merged(policy('{}', { kind, apiVersion })).inventory.unreadablePolicies, [])
  })

  it('is not pushed aside by another of its name, understood or not', () => {
    const good = policy('{mtls: {mode: DISABLE}}')
    const [one, two] = ['a', 'b'].map(app => policy(`{selector: {matchLabels: {app: ${app}}}, more: 1}`))
    const { inventory, problems } = merged(
      good,
      one ?? '',
      two ?? '',
      policy('{more: 1}', { kind: 'RequestAuthentication' })
    )
    assert.equal(inventory.peerAuthentications.length, 1)
    assert.deepEqual(
      inventory.unreadablePolicies.map(({ kind, selector }) => [kind, selector?.['app']]),
      [
        ['PeerAuthentication', 'a'],
        ['PeerAuthentication', 'b'],
        ['RequestAuthentication', undefined]
      ]
    )
    assert.deepEqual(problems, [])
  })
})
