import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MutualTlsMode } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { inventoryOf, type PolicyOptions, policy } from './mesh.test-support.ts'
import { modeOfPort, PeerPolicies } from './peer-policy.ts'
import { ProblemList } from './problem.ts'

const ROOT = 'countersign-system'

interface Row {
  readonly title: string
  readonly policies: readonly PolicyOptions[]
  /** Of the pod, default shop and app: orders. */
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
  /** The mode, and those of ports that differ: `STRICT 8080=DISABLE`. */
  readonly expected: string
  /** Objects that are reported. */
  readonly ignored?: readonly string[]
}

const app = { app: 'orders' }

const rows: readonly Row[] = [
  { title: 'without any policy a workload is permissive', policies: [], expected: 'PERMISSIVE' },
  {
    title: 'a policy of the root namespace holds for the mesh',
    policies: [{ namespace: ROOT, mode: 'STRICT' }],
    expected: 'STRICT'
  },
  {
    title: 'a policy of the root namespace holds there as well',
    policies: [{ namespace: ROOT, mode: 'STRICT' }],
    namespace: ROOT,
    expected: 'STRICT'
  },
  {
    title: 'a policy of the namespace overrides that of the mesh',
    policies: [
      { namespace: ROOT, mode: 'STRICT' },
      { namespace: 'shop', mode: 'DISABLE' }
    ],
    expected: 'DISABLE'
  },
  {
    title: 'a policy of the namespace may be weaker than that of the mesh',
    policies: [
      { namespace: ROOT, mode: 'STRICT' },
      { namespace: 'shop', mode: 'PERMISSIVE' }
    ],
    expected: 'PERMISSIVE'
  },
  {
    title: 'a policy of another namespace says nothing',
    policies: [{ namespace: 'other', mode: 'STRICT' }],
    expected: 'PERMISSIVE'
  },
  {
    title: 'a policy of the workload overrides that of the namespace',
    policies: [
      { namespace: 'shop', mode: 'STRICT' },
      { namespace: 'shop', name: 'w', selector: app, mode: 'DISABLE' }
    ],
    expected: 'DISABLE'
  },
  {
    title: 'a policy whose selector does not match says nothing',
    policies: [{ namespace: 'shop', selector: { app: 'other' }, mode: 'STRICT' }],
    expected: 'PERMISSIVE'
  },
  {
    title: 'a policy that selects by two labels needs both',
    policies: [{ namespace: 'shop', selector: { app: 'orders', tier: 'web' }, mode: 'STRICT' }],
    expected: 'PERMISSIVE'
  },
  {
    title: 'a policy selects workloads of its own namespace only',
    policies: [{ namespace: 'other', selector: app, mode: 'STRICT' }],
    expected: 'PERMISSIVE'
  },
  {
    title: 'UNSET in a namespace inherits from the mesh',
    policies: [
      { namespace: ROOT, mode: 'STRICT' },
      { namespace: 'shop', mode: 'UNSET' }
    ],
    expected: 'STRICT'
  },
  {
    title: 'a policy that says nothing inherits like UNSET',
    policies: [
      { namespace: 'shop', mode: 'STRICT' },
      { namespace: 'shop', name: 'w', selector: app }
    ],
    expected: 'STRICT'
  },
  {
    title: 'UNSET all the way up is permissive',
    policies: [{ namespace: ROOT }, { namespace: 'shop' }, { namespace: 'shop', name: 'w', selector: app }],
    expected: 'PERMISSIVE'
  },
  {
    title: 'a port has a mode of its own',
    policies: [{ namespace: 'shop', selector: app, mode: 'STRICT', ports: { 8080: 'DISABLE' } }],
    expected: 'STRICT 8080=DISABLE'
  },
  {
    title: 'ports come in the order of their numbers',
    policies: [{ namespace: 'shop', selector: app, ports: { 9090: 'STRICT', 80: 'DISABLE' } }],
    expected: 'PERMISSIVE 80=DISABLE 9090=STRICT'
  },
  {
    title: 'UNSET at a port is the mode of the workload',
    policies: [
      { namespace: 'shop', mode: 'STRICT' },
      { namespace: 'shop', name: 'w', selector: app, ports: { 80: 'UNSET' } }
    ],
    expected: 'STRICT'
  },
  {
    title: 'a port of the same mode as its workload is not named',
    policies: [{ namespace: 'shop', selector: app, mode: 'STRICT', ports: { 80: 'STRICT' } }],
    expected: 'STRICT'
  },
  {
    title: 'ports of a policy that does not select the workload say nothing',
    policies: [{ namespace: 'shop', selector: { app: 'other' }, ports: { 80: 'DISABLE' } }],
    expected: 'PERMISSIVE'
  },
  {
    title: 'of two policies of a namespace the oldest holds',
    policies: [
      { namespace: 'shop', name: 'a', mode: 'DISABLE', created: 2 },
      { namespace: 'shop', name: 'b', mode: 'STRICT', created: 1 }
    ],
    expected: 'STRICT',
    ignored: ['PeerAuthentication shop/a']
  },
  {
    title: 'the oldest holds even if it inherits',
    policies: [
      { namespace: 'shop', name: 'a', mode: 'UNSET', created: 1 },
      { namespace: 'shop', name: 'b', mode: 'STRICT', created: 2 }
    ],
    expected: 'PERMISSIVE',
    ignored: ['PeerAuthentication shop/b']
  },
  {
    title: 'of two policies of one age the first by name holds',
    policies: [
      { namespace: 'shop', name: 'b', mode: 'DISABLE', created: 1 },
      { namespace: 'shop', name: 'a', mode: 'STRICT', created: 1 }
    ],
    expected: 'STRICT',
    ignored: ['PeerAuthentication shop/b']
  },
  {
    title: 'a policy without a time counts as the oldest',
    policies: [
      { namespace: 'shop', name: 'a', mode: 'DISABLE', created: 1 },
      { namespace: 'shop', name: 'b', mode: 'STRICT' }
    ],
    expected: 'STRICT',
    ignored: ['PeerAuthentication shop/a']
  },
  {
    title: 'of two policies of the mesh the oldest holds',
    policies: [
      { namespace: ROOT, name: 'a', mode: 'DISABLE', created: 2 },
      { namespace: ROOT, name: 'b', mode: 'STRICT', created: 1 }
    ],
    expected: 'STRICT',
    ignored: [`PeerAuthentication ${ROOT}/a`]
  },
  {
    title: 'of two policies of a workload the oldest holds, ports and all',
    policies: [
      { namespace: 'shop', name: 'a', selector: app, ports: { 80: 'DISABLE' }, created: 2 },
      { namespace: 'shop', name: 'b', selector: app, mode: 'STRICT', created: 1 }
    ],
    expected: 'STRICT',
    ignored: ['PeerAuthentication shop/a']
  },
  {
    title: 'a selector in the root namespace is ignored for other namespaces',
    policies: [{ namespace: ROOT, selector: app, mode: 'STRICT' }],
    expected: 'PERMISSIVE',
    ignored: [`PeerAuthentication ${ROOT}/default`]
  },
  {
    title: 'a selector in the root namespace is ignored even there',
    policies: [{ namespace: ROOT, selector: app, mode: 'STRICT' }],
    namespace: ROOT,
    expected: 'PERMISSIVE',
    ignored: [`PeerAuthentication ${ROOT}/default`]
  }
]

for (const { title, policies, namespace = 'shop', labels = app, expected, ignored = [] } of rows)
  test(title, () => {
    const problems = new ProblemList()
    const inventory = inventoryOf(policies.map(policy))
    const { mode, portModes } = new PeerPolicies(inventory.peerAuthentications, ROOT, problems).effective({
      namespace,
      labels
    })
    const ports = [...portModes].map(([port, mode]) => `${port}=${MutualTlsMode[mode]}`)
    assert.equal([MutualTlsMode[mode], ...ports].join(' '), expected)
    assert.deepEqual(
      problems.list().map(({ object }) => object),
      ignored
    )
  })

test('equal policies have equal keys, others have not', () => {
  const key = (...policies: readonly PolicyOptions[]) =>
    new PeerPolicies(inventoryOf(policies.map(policy)).peerAuthentications, ROOT, new ProblemList()).effective({
      namespace: 'shop',
      labels: app
    }).key
  const strict = { namespace: 'shop', selector: app, mode: 'STRICT' }
  assert.equal(key(strict), key({ ...strict, ports: { 80: 'STRICT' } }))
  assert.notEqual(key(strict), key({ ...strict, ports: { 80: 'DISABLE' } }))
  assert.notEqual(key(strict), key())
})

test('a port without a mode of its own has that of its workload', () => {
  const policy = { mode: MutualTlsMode.STRICT, portModes: new Map([[80, MutualTlsMode.DISABLE]]), key: '' }
  assert.equal(modeOfPort(policy, 80), MutualTlsMode.DISABLE)
  assert.equal(modeOfPort(policy, 81), MutualTlsMode.STRICT)
})
