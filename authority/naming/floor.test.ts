import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Floor, parseFloor } from '../../shared/floor/index.ts'
import { MutualTlsMode } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  endUserAuthentication,
  inventoryOf,
  type Manifest,
  pod,
  policy,
  service,
  settings
} from './mesh.test-support.ts'
import { type MeshState, meshState } from './mesh-state.ts'

function floorFrom(text: string): Floor {
  const parsed = parseFloor(text)
  return parsed.ok ? parsed.floor : assert.fail(parsed.problems.join())
}

const ROOT = 'countersign-system'
const SHOP = floorFrom('namespaces: { shop: { mutualTls: true } }')
const MESH = floorFrom('mesh: { mutualTls: true }')

const stateOf = (manifests: readonly Manifest[], floor?: Floor): MeshState =>
  meshState(inventoryOf(manifests), floor === undefined ? settings : { ...settings, floor })
const workloadOf = (state: MeshState) => state.workloadsByNode.get('node-1')?.get('uid-orders-1') ?? assert.fail()
const belowFloor = ({ problems }: MeshState): readonly string[] =>
  problems.filter(({ kind }) => kind === 'below-floor').map(({ object, message }) => `${object}: ${message}`)

const selector = { app: 'orders' }
const lowering: Readonly<Record<string, readonly [manifests: readonly Manifest[], told: readonly string[]]>> = {
  'no policy at all': [[], []],
  'DISABLE for the namespace': [
    [policy({ namespace: 'shop', mode: 'DISABLE' })],
    ['PeerAuthentication shop/default: mode DISABLE has no effect']
  ],
  'PERMISSIVE for the namespace': [
    [policy({ namespace: 'shop', mode: 'PERMISSIVE' })],
    ['PeerAuthentication shop/default: mode PERMISSIVE has no effect']
  ],
  'DISABLE for some pods': [
    [policy({ namespace: 'shop', name: 'a', selector, mode: 'DISABLE' })],
    ['PeerAuthentication shop/a: mode DISABLE has no effect']
  ],
  'single ports': [
    [policy({ namespace: 'shop', name: 'a', selector, mode: 'STRICT', ports: { 8080: 'DISABLE', 90: 'PERMISSIVE' } })],
    [
      'PeerAuthentication shop/a: mode DISABLE of port 8080 has no effect',
      'PeerAuthentication shop/a: mode PERMISSIVE of port 90 has no effect'
    ]
  ],
  'an older policy of the namespace': [
    [
      policy({ namespace: 'shop', name: 'new', mode: 'STRICT', created: 2 }),
      policy({ namespace: 'shop', name: 'old', mode: 'DISABLE', created: 1 })
    ],
    ['PeerAuthentication shop/old: mode DISABLE has no effect']
  ],
  'a policy that selects nothing': [
    [policy({ namespace: 'shop', name: 'a', selector: { app: 'none' }, mode: 'DISABLE' })],
    ['PeerAuthentication shop/a: mode DISABLE has no effect']
  ]
}

for (const [name, floor] of Object.entries({ shop: SHOP, mesh: MESH }))
  describe(`where the floor of ${name} requires mutual TLS`, () => {
    for (const [title, [manifests, told]] of Object.entries(lowering))
      it(`every port is STRICT, and whoever asked for less is told: ${title}`, () => {
        const state = stateOf([pod({ ports: [{ containerPort: 8080 }] }), service(), ...manifests], floor)
        const { mode, portModes } = workloadOf(state)
        assert.deepEqual([mode, portModes], [MutualTlsMode.STRICT, {}])
        const [endpoint] = state.endpoints.get('shop/orders')?.ports[0]?.endpoints ?? []
        assert.equal(endpoint?.mutualTls, true)
        assert.deepEqual(
          belowFloor(state).map(text => text.replace(/ has no effect: .*/, ' has no effect')),
          told
        )
      })
  })

describe('a floor of mutual TLS', () => {
  it('is not that of other namespaces', () => {
    const manifests = [pod({ namespace: 'bank' }), policy({ namespace: 'bank', mode: 'DISABLE' })]
    assert.equal(workloadOf(stateOf(manifests, SHOP)).mode, MutualTlsMode.DISABLE)
    assert.deepEqual(belowFloor(stateOf(manifests, SHOP)), [])
  })

  it('reports the policy of the mesh only where it is the floor of the mesh', () => {
    const manifests = [pod(), policy({ namespace: ROOT, mode: 'PERMISSIVE' })]
    assert.deepEqual(belowFloor(stateOf(manifests, SHOP)), [])
    assert.match(
      belowFloor(stateOf(manifests, MESH))[0] ?? '',
      /^PeerAuthentication countersign-system\/default: mode PERM/
    )
  })

  it('leaves a workload that is STRICT the same message', () => {
    const manifests = [pod(), policy({ namespace: 'shop', mode: 'STRICT' })]
    const without = stateOf(manifests)
    const inventory = inventoryOf(manifests)
    assert.deepEqual(workloadOf(meshState(inventory, { ...settings, floor: SHOP }, without)), workloadOf(without))
  })
})

describe('a floor of end-user checks', () => {
  const CHECKS = floorFrom('namespaces: { shop: { endUserChecks: true } }')
  const ofRoot = endUserAuthentication({
    namespace: ROOT,
    name: 'all',
    created: 9,
    spec: { issuer: 'https://root.test' }
  })
  const ofShop = (created: number, spec: object = {}) =>
    endUserAuthentication({ name: 'mine', created, spec: { issuer: 'https://mine.test', ...spec } })
  const providersOf = (state: MeshState): readonly string[] =>
    workloadOf(state).endUsers?.rules.map(({ providers }) => providers.join()) ?? []

  it('puts the policies of the root namespace before older ones of the namespace', () => {
    const manifests = [pod(), ofRoot, ofShop(1), ofShop(2)]
    assert.deepEqual(providersOf(stateOf(manifests.slice(0, 3))), [
      'EndUserAuthentication/shop/mine',
      'EndUserAuthentication/countersign-system/all'
    ])
    assert.deepEqual(providersOf(stateOf(manifests.slice(0, 3), CHECKS)), [
      'EndUserAuthentication/countersign-system/all',
      'EndUserAuthentication/shop/mine'
    ])
  })

  it('keeps the order of age among those of one scope', () => {
    const older = endUserAuthentication({ namespace: ROOT, name: 'older', created: 5 })
    assert.deepEqual(providersOf(stateOf([pod(), ofRoot, older, ofShop(1)], CHECKS)), [
      'EndUserAuthentication/countersign-system/older',
      'EndUserAuthentication/countersign-system/all',
      'EndUserAuthentication/shop/mine'
    ])
  })

  it('is not that of other namespaces', () => {
    const mine = endUserAuthentication({ namespace: 'bank', name: 'mine', created: 1 })
    assert.deepEqual(providersOf(stateOf([pod({ namespace: 'bank' }), ofRoot, mine], CHECKS)), [
      'EndUserAuthentication/bank/mine',
      'EndUserAuthentication/countersign-system/all'
    ])
  })

  it('reports a policy of the root namespace that pods can leave by their labels', () => {
    const narrow = endUserAuthentication({ namespace: ROOT, name: 'narrow', selector })
    assert.match(
      belowFloor(stateOf([pod(), narrow], CHECKS))[0] ?? '',
      /^EndUserAuthentication countersign-system\/narrow: selects pods by labels/
    )
    assert.deepEqual(belowFloor(stateOf([pod(), narrow], MESH)), [])
  })
})
