import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fromBinary } from '@bufbuild/protobuf'
import { parseTrustDomain } from '../../shared/identity/index.ts'
import type { Inventory } from '../../shared/inventory/index.ts'
import { Sensitive } from '../../shared/log/index.ts'
import {
  KeySetSchema,
  LoginSecretSchema,
  MeshSchema,
  ServiceSchema,
  WorkloadSchema
} from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { createRoot } from '../../shared/x509/index.ts'
import type { KnownKeys, KnownLoginSecrets } from './known.ts'
import {
  endUserAuthentication,
  inventoryOf,
  type Manifest,
  pod,
  policy,
  requestAuthentication,
  service,
  settings
} from './mesh.test-support.ts'
import { meshState } from './mesh-state.ts'
import { podDirectory } from './pod-directory.ts'
import { MESH_TYPE, type MeshSnapshots, snapshots } from './snapshots.ts'

interface Step {
  readonly inventory: Inventory
  readonly snapshots: MeshSnapshots
}

function next(
  previous: Step | undefined,
  manifests: readonly Manifest[],
  ours = settings,
  keys: KnownKeys = new Map(),
  loginSecrets: KnownLoginSecrets = new Map()
): Step {
  const inventory = inventoryOf(manifests, previous?.inventory)
  const known = { keys, loginSecrets }
  const state = meshState(inventory, ours, previous?.snapshots.state, known)
  return { inventory, snapshots: snapshots(state, known, previous?.snapshots) }
}

const elsewhere = { name: 'b', account: 'guest', labels: { app: 'guest' }, address: '10.0.0.2', node: 'node-2' }
const manifests = [service(), service({ name: 'z', selector: { app: 'z' } }), pod(), pod(elsewhere)]

const resource = ({ snapshots }: Step, node: string, type: keyof typeof MESH_TYPE, name: string) =>
  snapshots.forNode(node).types.get(MESH_TYPE[type])?.get(name)

test('an agent is sent the mesh, all Services and Endpoints, and the workloads of its node alone', () => {
  const { types } = next(undefined, manifests).snapshots.forNode('node-1')
  const names = Object.entries(MESH_TYPE).map(([type, url]) => [type, [...(types.get(url)?.keys() ?? [])]])
  assert.deepEqual(Object.fromEntries(names), {
    mesh: ['mesh'],
    service: ['shop/orders', 'shop/z'],
    endpoints: ['shop/orders', 'shop/z'],
    workload: ['uid-orders-1'],
    keySet: [],
    loginSecret: []
  })
})

test('an agent whose node has no workload is told so, not left waiting', () => {
  const { types } = next(undefined, manifests).snapshots.forNode('node-9')
  assert.equal(types.size, 6)
  assert.equal(types.get(MESH_TYPE.workload)?.size, 0)
})

test('what is encoded is what was meant', () => {
  const step = next(undefined, manifests)
  const message = fromBinary(
    ServiceSchema,
    resource(step, 'node-1', 'service', 'shop/orders')?.value ?? new Uint8Array()
  )
  assert.deepEqual(message, step.snapshots.state.services.get('shop/orders'))
  const workload = fromBinary(
    WorkloadSchema,
    resource(step, 'node-1', 'workload', 'uid-orders-1')?.value ?? new Uint8Array()
  )
  assert.equal(workload.serviceAccount, 'orders')
})

test('nothing changed: everything is the same object, snapshots too', () => {
  const first = next(undefined, manifests)
  const second = next(
    first,
    manifests.map(manifest => structuredClone(manifest))
  )
  assert.equal(second.snapshots.forNode('node-1'), first.snapshots.forNode('node-1'))
  assert.equal(second.snapshots.forNode('node-9'), first.snapshots.forNode('node-9'))
  assert.equal(second.snapshots.shared, first.snapshots.shared)
})

test('a new pod is encoded, and nothing else but what it changes', () => {
  const first = next(undefined, manifests)
  const second = next(first, [...manifests, pod({ name: 'c', address: '10.0.0.3' })])
  const same = (type: keyof typeof MESH_TYPE, name: string) =>
    resource(second, 'node-1', type, name) === resource(first, 'node-1', type, name)
  assert.ok(same('mesh', 'mesh'))
  assert.ok(same('service', 'shop/orders'), 'the same account: the same identities')
  assert.ok(same('service', 'shop/z'))
  assert.ok(!same('endpoints', 'shop/orders'))
  assert.ok(same('endpoints', 'shop/z'))
  assert.ok(same('workload', 'uid-orders-1'))
  assert.ok(resource(second, 'node-1', 'workload', 'uid-c'))
})

test('a pod that becomes ready, or is deleted, changes the endpoints of its Service, and not who may serve it', () => {
  const others = manifests.filter(({ metadata }) => (metadata as { name: string }).name !== 'orders-1')
  const steps = [pod({ ready: false }), pod(), pod({ deleted: true })]
  let before = next(undefined, [...others, steps[0] as Manifest])
  for (const step of steps.slice(1)) {
    const after = next(before, [...others, step])
    const same = (type: keyof typeof MESH_TYPE) =>
      resource(after, 'node-1', type, 'shop/orders') === resource(before, 'node-1', type, 'shop/orders')
    assert.deepEqual([same('service'), same('endpoints')], [true, false])
    before = after
  }
})

test('what concerns one node alone leaves the snapshots of the others as they are', () => {
  const first = next(undefined, manifests)
  const second = next(first, [...manifests, pod({ ...elsewhere, name: 'c', address: '10.0.0.3' })])
  assert.equal(second.snapshots.forNode('node-1'), first.snapshots.forNode('node-1'))
  assert.equal(second.snapshots.forNode('node-9'), first.snapshots.forNode('node-9'))
  assert.notEqual(second.snapshots.forNode('node-2'), first.snapshots.forNode('node-2'))
})

test('a policy changes workloads, and endpoints only where it changes how they are reached', () => {
  const first = next(undefined, manifests)
  const strict = next(first, [...manifests, policy({ namespace: 'shop', mode: 'STRICT' })])
  assert.notEqual(
    resource(strict, 'node-1', 'workload', 'uid-orders-1'),
    resource(first, 'node-1', 'workload', 'uid-orders-1')
  )
  assert.equal(strict.snapshots.shared, first.snapshots.shared)
  const disabled = next(strict, [...manifests, policy({ namespace: 'shop', mode: 'DISABLE' })])
  assert.notEqual(
    resource(disabled, 'node-1', 'endpoints', 'shop/orders'),
    resource(first, 'node-1', 'endpoints', 'shop/orders')
  )
})

test('a node whose last workload is gone is told so', () => {
  const first = next(undefined, manifests)
  const second = next(first, manifests.slice(0, 3))
  assert.equal(second.snapshots.forNode('node-2').types.get(MESH_TYPE.workload)?.size, 0)
  assert.equal(first.snapshots.forNode('node-2').types.get(MESH_TYPE.workload)?.size, 1)
})

test('a process that starts anew makes resources of the same versions', () => {
  const versions = (step: Step) =>
    [...step.snapshots.shared.values()].flatMap(map => [...map.values()].map(({ version }) => version))
  const grown = next(next(next(undefined, []), manifests.slice(1)), manifests)
  assert.deepEqual(versions(grown), versions(next(undefined, manifests.toReversed())))
})

test('problems that are found again with a cached message are still there', () => {
  const pinned = [service({ pin: 'guest' }), pod()]
  const first = next(undefined, pinned)
  assert.equal(first.snapshots.state.problems.length, 1)
  assert.deepEqual(next(first, [...pinned, pod(elsewhere)]).snapshots.state.problems, first.snapshots.state.problems)
})

test('trust bundles are told whatever their order, and a new root is a new mesh', async () => {
  const year = { notBefore: Date.UTC(2026, 0), notAfter: Date.UTC(2027, 0) }
  const [a, b] = await Promise.all(['a', 'b'].map(commonName => createRoot({ commonName, ...year })))
  assert.ok(a && b)
  const own = (...roots: readonly (typeof a)[]) => ({
    ...settings,
    bundles: [
      { trustDomain: settings.trustDomain, roots: roots.map(({ certificate }) => certificate) },
      { trustDomain: parseTrustDomain('a.example'), roots: [a.certificate] }
    ]
  })
  const mesh = (step: Step) => resource(step, 'node-1', 'mesh', 'mesh')
  const first = next(undefined, manifests, own(a, b))
  const message = fromBinary(MeshSchema, mesh(first)?.value ?? new Uint8Array())
  assert.deepEqual(
    message.trustBundles.map(({ trustDomain, roots }) => [trustDomain, roots.length]),
    [
      ['a.example', 1],
      ['cluster.local', 2]
    ]
  )
  assert.equal(mesh(next(first, manifests, own(b, a))), mesh(first))
  assert.equal(mesh(next(undefined, manifests, own(b, a)))?.version, mesh(first)?.version)
  assert.notEqual(mesh(next(first, manifests, own(b))), mesh(first))
})

test('clients without a proxy may use TLS 1.2 only where that was said', () => {
  const mesh = (step: Step) => resource(step, 'node-1', 'mesh', 'mesh')
  const first = next(undefined, manifests)
  const allowing = next(first, manifests, { ...settings, minimumTlsWithoutProxy: '1.2' })
  const told = [first, allowing].map(step => fromBinary(MeshSchema, mesh(step)?.value ?? new Uint8Array()))
  assert.deepEqual(
    told.map(({ tls12WithoutProxy }) => tls12WithoutProxy),
    [false, true]
  )
})

test('the directory finds pods by UID, by node, and by account and node', () => {
  const directory = podDirectory(
    inventoryOf([pod(), pod(elsewhere), pod({ name: 'c', node: undefined, deleted: true })])
  )
  assert.deepEqual(directory.pod('uid-orders-1'), {
    uid: 'uid-orders-1',
    namespace: 'shop',
    name: 'orders-1',
    serviceAccount: 'orders',
    node: 'node-1',
    phase: 'Running',
    deletionTime: undefined
  })
  assert.equal(directory.pod('uid-c')?.node, undefined)
  assert.equal(directory.pod('uid-c')?.deletionTime, 0)
  assert.equal(directory.pod('uid-x'), undefined)
  assert.deepEqual(
    directory.podsOnNode('node-2').map(({ name }) => name),
    ['b']
  )
  assert.deepEqual(directory.podsOnNode('node-9'), [])
  const of = (serviceAccount: string, node: string, namespace = 'shop') =>
    directory.podsOf({ namespace, serviceAccount }, node).length
  assert.deepEqual(
    [of('orders', 'node-1'), of('guest', 'node-1'), of('guest', 'node-2'), of('orders', 'node-1', 'x')],
    [1, 0, 1, 0]
  )
})

test('an agent is sent the keys that its own workloads verify tokens with, and no others', () => {
  const policies = [
    endUserAuthentication({ selector: { app: 'orders' } }),
    requestAuthentication({ namespace: 'other' })
  ]
  const keys = new Map([
    ['https://a.test', { jwks: '{"keys":["a"]}' }],
    ['https://b.test', { jwks: '{"keys":["b"]}' }]
  ])
  const { snapshots } = next(undefined, [...manifests, ...policies], settings, keys)
  const sent = (node: string) => [...(snapshots.forNode(node).types.get(MESH_TYPE.keySet) ?? [])]
  assert.deepEqual(
    sent('node-1').map(([name, { value }]) => [name, fromBinary(KeySetSchema, value).jwks]),
    [['https://b.test', '{"keys":["b"]}']]
  )
  assert.deepEqual(sent('node-2'), [])
})

test('keys that are not there yet are sent as none: no token is valid', () => {
  const first = next(undefined, [...manifests, endUserAuthentication()])
  const { value } = resource(first, 'node-1', 'keySet', 'https://b.test') ?? {}
  assert.equal(fromBinary(KeySetSchema, value ?? new Uint8Array([1])).jwks, '')
})

test('new keys change what is sent to the nodes that use them, and nothing else of it', () => {
  const all = [...manifests, endUserAuthentication({ selector: { app: 'orders' } })]
  const first = next(undefined, all, settings, new Map([['https://b.test', { jwks: '{"keys":[1]}' }]]))
  const same = next(first, all, settings, new Map([['https://b.test', { jwks: '{"keys":[1]}' }]]))
  assert.equal(same.snapshots.forNode('node-1'), first.snapshots.forNode('node-1'))
  const second = next(first, all, settings, new Map([['https://b.test', { jwks: '{"keys":[2]}' }]]))
  assert.notEqual(second.snapshots.forNode('node-1'), first.snapshots.forNode('node-1'))
  assert.equal(second.snapshots.forNode('node-2'), first.snapshots.forNode('node-2'))
  assert.equal(
    second.snapshots.forNode('node-1').types.get(MESH_TYPE.workload),
    first.snapshots.forNode('node-1').types.get(MESH_TYPE.workload)
  )
})

const login = { clientId: 'web', clientSecret: { name: 'web-login' } }
const secretOf = (text: string): KnownLoginSecrets =>
  new Map([
    [
      'shop/web',
      {
        secret: new Sensitive({ clientSecret: Buffer.from(text), hmacKey: Buffer.from(`key of ${text}`) }),
        condition: { status: 'ready', message: '' }
      }
    ]
  ])
const secretsSent = ({ snapshots }: Step, node: string) =>
  [...(snapshots.forNode(node).types.get(MESH_TYPE.loginSecret) ?? [])].map(([name, { value }]) => {
    const { clientSecret, hmacKey } = fromBinary(LoginSecretSchema, value)
    return [name, Buffer.from(clientSecret).toString(), Buffer.from(hmacKey).toString()]
  })

test('an agent is sent the secrets of logins that its own workloads do, and no others', () => {
  const policies = [
    endUserAuthentication({ selector: { app: 'orders' }, spec: { login } }),
    endUserAuthentication({ name: 'none', selector: { app: 'nothing' }, spec: { login } })
  ]
  const known = new Map([...secretOf('s'), ...[...secretOf('t')].map(([, state]) => ['shop/none', state] as const)])
  const step = next(undefined, [...manifests, ...policies], settings, new Map(), known)
  assert.deepEqual(secretsSent(step, 'node-1'), [['shop/web', 's', 'key of s']])
  assert.deepEqual(secretsSent(step, 'node-2'), [])
  assert.deepEqual(secretsSent(step, 'nowhere'), [])
})

test('a secret that is not there is not sent, not even as an empty one', () => {
  const all = [...manifests, endUserAuthentication({ spec: { login } })]
  const missing = new Map([
    ['shop/web', { secret: undefined, condition: { status: 'missing', message: 'no' } }] as const
  ])
  const step = next(undefined, all, settings, new Map(), missing)
  assert.deepEqual([...(step.snapshots.forNode('node-1').types.get(MESH_TYPE.loginSecret) ?? [])], [])
})

test('another secret changes what is sent to the nodes that use it, and nothing else of it', () => {
  const all = [...manifests, endUserAuthentication({ selector: { app: 'orders' }, spec: { login } })]
  const first = next(undefined, all, settings, new Map(), secretOf('s'))
  const same = next(first, all, settings, new Map(), secretOf('s'))
  assert.equal(same.snapshots.forNode('node-1'), first.snapshots.forNode('node-1'))
  const second = next(first, all, settings, new Map(), secretOf('t'))
  assert.deepEqual(secretsSent(second, 'node-1'), [['shop/web', 't', 'key of t']])
  assert.equal(second.snapshots.forNode('node-2'), first.snapshots.forNode('node-2'))
  assert.equal(
    second.snapshots.forNode('node-1').types.get(MESH_TYPE.workload),
    first.snapshots.forNode('node-1').types.get(MESH_TYPE.workload)
  )
  const gone = next(second, all, settings, new Map(), new Map())
  assert.deepEqual(secretsSent(gone, 'node-1'), [])
})
