import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Inventory } from '../../shared/inventory/index.ts'
import type { UnreadablePolicy } from '../../shared/policy/index.ts'
import { trafficOn } from '../../shared/port-traffic/index.ts'
import { MutualTlsMode, Protocol, type Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  endUserAuthentication,
  inventoryOf,
  type Manifest,
  pod,
  policy,
  requestAuthentication,
  settings
} from './mesh.test-support.ts'
import { type MeshState, meshState } from './mesh-state.ts'

const ROOT = 'countersign-system'
const LOGIN = { clientId: 'web', clientSecret: { name: 'web' } }

const unreadable = (changes: Partial<UnreadablePolicy> = {}): UnreadablePolicy => ({
  kind: 'EndUserAuthentication',
  namespace: 'shop',
  name: 'p',
  issues: ['spec.selectors: unknown field'],
  ...changes
})

/** The pod orders-1 of shop, labelled app: orders, beside one of each: another label, another namespace. */
const PODS = [
  pod(),
  pod({ name: 'web-1', labels: { app: 'web' }, account: 'web', address: '10.0.0.2' }),
  pod({ name: 'vault-1', namespace: 'bank', labels: { app: 'vault' }, account: 'vault', address: '10.0.0.3' })
]

const inventory = (policies: readonly UnreadablePolicy[], manifests: readonly Manifest[] = []): Inventory => ({
  ...inventoryOf([...PODS, ...manifests]),
  unreadablePolicies: policies
})
const stateOf = (...given: Parameters<typeof inventory>): MeshState => meshState(inventory(...given), settings)
const workload = (state: MeshState, name: string): Workload => {
  const found = state.workloadsByNode.get('node-1')?.get(`uid-${name}`)
  assert.ok(found)
  return found
}

/** Whether no request passes: by the first rule, which holds for every path, method and port. */
function isClosed({ endUsers }: Workload): boolean {
  const first = endUsers?.rules[0]
  const provider = endUsers?.providers.find(({ name }) => name === first?.providers[0])
  return (
    first?.required === true &&
    first.providers.length === 1 &&
    [first.includePaths, first.excludePaths, first.methods, first.exemptPorts].every(({ length }) => length === 0) &&
    provider?.issuer === 'countersign.dev/no-issuer'
  )
}
const closedPods = (state: MeshState): readonly string[] =>
  ['orders-1', 'web-1', 'vault-1'].filter(name => isClosed(workload(state, name)))
const strictPods = (state: MeshState): readonly string[] =>
  ['orders-1', 'web-1', 'vault-1'].filter(name => workload(state, name).mode === MutualTlsMode.STRICT)

const SELECTIONS: Readonly<Record<string, readonly [Partial<UnreadablePolicy>, readonly string[]]>> = {
  'its namespace without a selector': [{}, ['orders-1', 'web-1']],
  'the pods that its selector selects': [{ selector: { app: 'orders' } }, ['orders-1']],
  'nothing where no pod has its labels': [{ selector: { app: 'x' } }, []],
  'the mesh in the root namespace': [{ namespace: ROOT }, ['orders-1', 'web-1', 'vault-1']],
  'pods of the mesh in the root namespace with a selector': [
    { namespace: ROOT, selector: { app: 'vault' } },
    ['vault-1']
  ],
  'the mesh where its namespace cannot be read': [{ namespace: '' }, ['orders-1', 'web-1', 'vault-1']],
  'no other namespace': [{ namespace: 'elsewhere' }, []]
}

describe('a policy on end users that cannot be understood', () => {
  for (const kind of ['EndUserAuthentication', 'RequestAuthentication'] as const)
    for (const [what, [changes, expected]] of Object.entries(SELECTIONS))
      it(`closes ${what}: ${kind}`, () => {
        const state = stateOf([unreadable({ kind, ...changes })])
        assert.deepEqual(closedPods(state), expected)
        assert.deepEqual(strictPods(state), [])
      })

  it('closes ports that are not HTTP, whatever is exempt elsewhere', () => {
    const { endUsers } = workload(stateOf([unreadable()], [endUserAuthentication()]), 'orders-1')
    for (const rule of endUsers?.rules.slice(1) ?? []) rule.exemptPorts = [9090]
    const traffic = (protocol: Protocol) => trafficOn({ number: 9090, protocol }, endUsers)
    assert.deepEqual([Protocol.TCP, Protocol.TLS].map(traffic), ['none', 'none'])
    assert.deepEqual([Protocol.UNSPECIFIED, Protocol.HTTP, Protocol.HTTP2].map(traffic), ['http', 'http', 'http'])
  })

  it('goes before every other, and nobody is sent to sign in', () => {
    const others = [endUserAuthentication({ spec: { login: LOGIN } }), requestAuthentication()]
    const { endUsers } = workload(stateOf([unreadable()], others), 'orders-1')
    assert.equal(endUsers?.rules.length, 3)
    assert.deepEqual(
      endUsers?.providers.map(({ login }) => login),
      [undefined, undefined, undefined]
    )
    assert.ok(isClosed(workload(stateOf([unreadable()], others), 'orders-1')))
  })

  it('opens again when it is gone', () => {
    const closed = stateOf([unreadable()])
    const open = meshState(inventory([]), settings, closed)
    assert.equal(workload(open, 'orders-1').endUsers, undefined)
    const again = meshState(inventory([unreadable()]), settings, open)
    assert.ok(isClosed(workload(again, 'orders-1')))
  })
})

describe('a PeerAuthentication that cannot be understood', () => {
  for (const [what, [changes, expected]] of Object.entries(SELECTIONS))
    it(`is STRICT for ${what}`, () => {
      const state = stateOf([unreadable({ kind: 'PeerAuthentication', ...changes })])
      assert.deepEqual(strictPods(state), expected)
      assert.deepEqual(closedPods(state), [])
    })

  it('is STRICT on every port, whatever others say', () => {
    const others = [
      policy({ namespace: 'shop', mode: 'DISABLE', created: 1 }),
      policy({ namespace: 'shop', name: 'w', mode: 'DISABLE', selector: { app: 'orders' }, ports: { 8080: 'DISABLE' } })
    ]
    const { mode, portModes } = workload(stateOf([unreadable({ kind: 'PeerAuthentication' })], others), 'orders-1')
    assert.deepEqual([mode, portModes], [MutualTlsMode.STRICT, {}])
  })
})

describe('policies that cannot be understood', () => {
  it('are told of with what is wrong, what is closed and what to do', () => {
    const policies = [unreadable(), unreadable({ kind: 'PeerAuthentication', name: 'q' })]
    assert.deepEqual(
      stateOf(policies).problems.map(({ kind, object, message }) => [kind, object, message]),
      [
        [
          'policy-unreadable',
          'EndUserAuthentication shop/p',
          'cannot be understood, so every request to the workloads that it selects is refused with 401: correct or delete it; spec.selectors: unknown field'
        ],
        [
          'policy-unreadable',
          'PeerAuthentication shop/q',
          'cannot be understood, so the workloads that it selects accept mutual TLS alone (STRICT): correct or delete it; spec.selectors: unknown field'
        ]
      ]
    )
  })

  it('are the same to every replica, whatever it saw before', () => {
    const policies = [unreadable(), unreadable({ kind: 'PeerAuthentication', name: 'q', selector: { app: 'web' } })]
    const before = stateOf([], [endUserAuthentication(), policy({ namespace: 'shop', mode: 'DISABLE' })])
    assert.deepEqual(
      meshState(inventory(policies), settings, before).workloadsByNode,
      meshState(inventory(policies), settings).workloadsByNode
    )
  })
})
