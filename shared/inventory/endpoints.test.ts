import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endpointSliceFromManifest } from './endpoint-slice.ts'
import { endpointsFromSelectors } from './endpoints.ts'
import { podFromManifest } from './pod.ts'
import { indexPods } from './pod-index.ts'
import { serviceFromManifest } from './service.ts'
import { endpointsFromSlices } from './slice-endpoints.ts'
import type { Pod, Service } from './types.ts'

interface PodChanges {
  readonly name?: string
  readonly namespace?: string
  readonly labels?: object
  readonly deleted?: boolean
  readonly ports?: readonly object[]
  readonly status?: object
  readonly hostNetwork?: boolean
}

function pod({
  name = 'a',
  namespace = 'shop',
  labels = { app: 'orders' },
  deleted,
  ports = [],
  status = {},
  hostNetwork = false
}: PodChanges): Pod {
  const { value } = podFromManifest({
    metadata: {
      name,
      namespace,
      uid: `uid-${name}`,
      labels,
      ...(deleted ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {})
    },
    spec: { hostNetwork, containers: [{ name: 'app', ports }] },
    status: { phase: 'Running', podIP: '10.0.0.1', ...status }
  })
  assert.ok(value)
  return value
}

function service(spec: object = {}): Service {
  const ports = [{ name: 'http', port: 80, targetPort: 8080 }]
  const { value } = serviceFromManifest({
    metadata: { name: 'orders', namespace: 'shop' },
    spec: { selector: { app: 'orders' }, ports, ...spec }
  })
  assert.ok(value)
  return value
}

/** `80: 10.0.0.1:8080 ready uid-a`, one line per endpoint. */
function show(lists: ReturnType<typeof endpointsFromSelectors>): readonly string[] {
  return lists.flatMap(({ ports }) =>
    ports.flatMap(({ servicePort, endpoints }) =>
      endpoints.map(
        ({ address, port, ready, podUid }) =>
          `${servicePort}: ${address}:${port} ${ready ? 'ready' : 'not ready'} ${podUid ?? 'no pod'}`
      )
    )
  )
}

const NAMED = { ports: [{ port: 80, targetPort: 'http' }] }
const ENDED = { phase: 'Succeeded' }
const notReady = { conditions: [{ type: 'Ready', status: 'False' }] }

const rows: readonly { title: string; service?: object; pods: readonly PodChanges[]; expected: readonly string[] }[] = [
  { title: 'a pod with the labels is behind the Service', pods: [{}], expected: ['80: 10.0.0.1:8080 ready uid-a'] },
  {
    title: 'a pod with more labels is, too',
    pods: [{ labels: { app: 'orders', v: '1' } }],
    expected: ['80: 10.0.0.1:8080 ready uid-a']
  },
  { title: 'a pod with another value is not', pods: [{ labels: { app: 'order' } }], expected: [] },
  {
    title: 'a pod that lacks one of two labels is not',
    service: { selector: { app: 'orders', tier: 'web' } },
    pods: [{}],
    expected: []
  },
  { title: 'a pod of another namespace is not', pods: [{ namespace: 'other' }], expected: [] },
  { title: 'a Service without a selector has no pods', service: { selector: {} }, pods: [{}], expected: [] },
  {
    title: 'a pod that is not ready is there and not ready',
    pods: [{ status: notReady }],
    expected: ['80: 10.0.0.1:8080 not ready uid-a']
  },
  {
    title: 'a Service may publish what is not ready',
    service: { publishNotReadyAddresses: true },
    pods: [{ status: notReady }],
    expected: ['80: 10.0.0.1:8080 ready uid-a']
  },
  {
    title: 'a terminating pod is there and not ready',
    pods: [{ deleted: true }],
    expected: ['80: 10.0.0.1:8080 not ready uid-a']
  },
  {
    title: 'a terminating pod is not ready, though its Service publishes what is not',
    service: { publishNotReadyAddresses: true },
    pods: [{ deleted: true }],
    expected: ['80: 10.0.0.1:8080 not ready uid-a']
  },
  { title: 'a terminating pod that has ended is left out', pods: [{ deleted: true, status: ENDED }], expected: [] },
  { title: 'a pod that has succeeded is left out', pods: [{ status: { phase: 'Succeeded' } }], expected: [] },
  { title: 'a pod that has failed is left out', pods: [{ status: { phase: 'Failed' } }], expected: [] },
  { title: 'a pod without an address is left out', pods: [{ status: { podIP: '' } }], expected: [] },
  {
    title: 'a named target port is the port of that name',
    service: NAMED,
    pods: [{ ports: [{ name: 'http', containerPort: 9000 }] }],
    expected: ['80: 10.0.0.1:9000 ready uid-a']
  },
  {
    title: 'a pod without the named port is left out',
    service: NAMED,
    pods: [{ ports: [{ name: 'web', containerPort: 9000 }] }],
    expected: []
  },
  {
    title: 'a named UDP port is not meant',
    service: NAMED,
    pods: [{ ports: [{ name: 'http', containerPort: 9000, protocol: 'UDP' }] }],
    expected: []
  },
  {
    title: 'a named port may have another number in every pod',
    service: NAMED,
    pods: [
      { ports: [{ name: 'http', containerPort: 1 }] },
      { name: 'b', status: { podIP: '10.0.0.2' }, ports: [{ name: 'http', containerPort: 2 }] }
    ],
    expected: ['80: 10.0.0.1:1 ready uid-a', '80: 10.0.0.2:2 ready uid-b']
  },
  {
    title: 'a headless Service uses the primary address',
    service: { clusterIP: 'None' },
    pods: [{ status: { podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] } }],
    expected: ['80: 10.0.0.1:8080 ready uid-a']
  },
  {
    title: 'an IPv6 Service uses the IPv6 address',
    service: { clusterIP: 'fd00::a' },
    pods: [{ status: { podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] } }],
    expected: ['80: fd00::1:8080 ready uid-a']
  },
  {
    title: 'a Service of both families uses both',
    service: { clusterIPs: ['10.1.0.1', 'fd00::a'] },
    pods: [{ status: { podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] } }],
    expected: ['80: 10.0.0.1:8080 ready uid-a', '80: fd00::1:8080 ready uid-a']
  }
]

for (const { title, service: spec, pods, expected } of rows)
  test(`from selectors: ${title}`, () => {
    assert.deepEqual(show(endpointsFromSelectors([service(spec)], indexPods(pods.map(pod)))), expected)
  })

test('the order of the pods does not matter', () => {
  const pods = [pod({ name: 'a', status: { podIP: '10.0.0.2' } }), pod({ name: 'b' })]
  const forth = endpointsFromSelectors([service()], indexPods(pods))
  assert.deepEqual(forth, endpointsFromSelectors([service()], indexPods(pods.toReversed())))
})

const slice = (endpoints: readonly object[], changes: { name?: string; ports?: readonly object[] } = {}) => {
  const { value, issues } = endpointSliceFromManifest({
    metadata: {
      name: changes.name ?? 'orders-1',
      namespace: 'shop',
      labels: { 'kubernetes.io/service-name': 'orders' }
    },
    addressType: 'IPv4',
    endpoints,
    ports: changes.ports ?? [{ name: 'http', port: 8080 }]
  })
  assert.deepEqual(issues, [])
  assert.ok(value)
  return value
}

const at = (address: string, fields: object = {}) => ({ addresses: [address], ...fields })
const LEAVING = { ready: false, serving: true, terminating: true }
const podA = { targetRef: { kind: 'Pod', name: 'a', uid: 'uid-a' } }

const ref = (targetRef: object) => ({ targetRef: { kind: 'Pod', ...targetRef } })

const sliceRows: readonly {
  title: string
  slices: readonly ReturnType<typeof slice>[]
  pods?: readonly PodChanges[]
  expected: readonly string[]
  /** `10.0.0.1 contradictory`, one line for each endpoint that is left out. */
  refused?: readonly string[]
}[] = [
  {
    title: 'a pod of another namespace is none of the slice',
    slices: [slice([at('10.0.0.1', podA)])],
    pods: [{ namespace: 'other' }],
    expected: [],
    refused: ['10.0.0.1 contradictory']
  },
  {
    title: 'a target of another namespace is none of the slice',
    slices: [slice([at('10.0.0.1', ref({ namespace: 'other', name: 'a', uid: 'uid-a' }))])],
    pods: [{}],
    expected: [],
    refused: ['10.0.0.1 contradictory']
  },
  {
    title: 'a pod at another address than it holds is left out',
    slices: [slice([at('10.0.0.2', podA)])],
    pods: [{}],
    expected: [],
    refused: ['10.0.0.2 contradictory']
  },
  {
    title: 'a UID and the name of another pod are left out',
    slices: [slice([at('10.0.0.1', ref({ name: 'b', uid: 'uid-a' }))])],
    pods: [{}, { name: 'b', status: { podIP: '10.0.0.2' } }],
    expected: [],
    refused: ['10.0.0.1 contradictory']
  },
  {
    title: 'a UID alone names the pod',
    slices: [slice([at('10.0.0.1', ref({ uid: 'uid-a' }))])],
    pods: [{}],
    expected: ['80: 10.0.0.1:8080 ready uid-a']
  },
  {
    title: 'a pod that has ended is left out, and reported if it is said to be ready',
    slices: [slice([at('10.0.0.1', podA), at('10.0.0.2', { ...ref({ name: 'b' }), conditions: { ready: false } })])],
    pods: [{ status: { phase: 'Failed' } }, { name: 'b', status: { phase: 'Failed', podIP: '10.0.0.2' } }],
    expected: [],
    refused: ['10.0.0.1 contradictory']
  },
  {
    title: 'a pod that is not known is reported if it is said to be ready',
    slices: [slice([at('10.0.0.1', podA), at('10.0.0.2', { ...ref({ name: 'b' }), conditions: LEAVING })])],
    expected: [],
    refused: ['10.0.0.1 unknown-pod']
  },
  {
    title: 'a pod in the network of its node is at the address of the node',
    slices: [slice([at('10.0.0.1', podA)])],
    pods: [{ hostNetwork: true }],
    expected: ['80: 10.0.0.1:8080 ready uid-a']
  },
  {
    title: 'a pod in the network of its node is at no address that another pod holds',
    slices: [slice([at('10.0.0.1', podA)])],
    pods: [{ hostNetwork: true }, { name: 'b' }],
    expected: [],
    refused: ['10.0.0.1 contradictory']
  },
  {
    title: 'the virtual address of a Service is no endpoint',
    slices: [slice([at('10.96.0.9')])],
    expected: [],
    refused: ['10.96.0.9 contradictory']
  },
  {
    title: 'an endpoint names its pod',
    slices: [slice([at('10.0.0.1', podA)])],
    pods: [{}],
    expected: ['80: 10.0.0.1:8080 ready uid-a']
  },
  {
    title: 'an endpoint that is no pod has none',
    slices: [slice([at('192.0.2.1')])],
    expected: ['80: 192.0.2.1:8080 ready no pod']
  },
  {
    title: 'an address that a pod has is that pod, even if the slice does not say so',
    slices: [slice([at('10.0.0.1')])],
    pods: [{}],
    expected: ['80: 10.0.0.1:8080 ready uid-a']
  },
  {
    title: 'an address that two pods report, and of which nothing was decided, is neither',
    slices: [slice([at('10.0.0.1')])],
    pods: [{}, { name: 'b' }],
    expected: ['80: 10.0.0.1:8080 ready no pod']
  },
  {
    title: 'an address of a pod that has ended is not that pod',
    slices: [slice([at('10.0.0.1')])],
    pods: [{ status: { phase: 'Failed' } }],
    expected: ['80: 10.0.0.1:8080 ready no pod']
  },
  {
    title: 'a pod may be named without its UID',
    slices: [slice([at('10.0.0.1', { targetRef: { kind: 'Pod', name: 'a' } })])],
    pods: [{}],
    expected: ['80: 10.0.0.1:8080 ready uid-a']
  },
  {
    title: 'a pod that is named without its UID and not known is left out',
    slices: [slice([at('10.9.9.9', { targetRef: { kind: 'Pod', name: 'x' } })])],
    pods: [{}],
    expected: []
  },
  {
    title: 'a target that is no pod is no pod',
    slices: [slice([at('192.0.2.1', { targetRef: { kind: 'Node', name: 'a', uid: 'u' } })])],
    expected: ['80: 192.0.2.1:8080 ready no pod']
  },
  {
    title: 'an endpoint may be not ready',
    slices: [slice([at('192.0.2.1', { conditions: { ready: false } })])],
    expected: ['80: 192.0.2.1:8080 not ready no pod']
  },
  {
    title: 'an unknown condition counts as ready',
    slices: [slice([at('192.0.2.1', { conditions: { ready: null } })])],
    expected: ['80: 192.0.2.1:8080 ready no pod']
  },
  {
    title: 'a terminating endpoint is not ready, even one that is published as ready and still serves',
    slices: [slice([at('192.0.2.1', { conditions: { ready: true, serving: true, terminating: true } })])],
    expected: ['80: 192.0.2.1:8080 not ready no pod']
  },
  {
    title: 'a terminating endpoint whose pod is not known is left out',
    slices: [slice([at('10.9.9.9', { targetRef: { kind: 'Pod', name: 'x' }, conditions: { terminating: true } })])],
    expected: []
  },
  {
    title: 'an address that is of a terminating pod in one slice and of its successor in another is the successor',
    slices: [
      slice([at('10.0.0.1', podA)]),
      slice([at('10.0.0.1', { targetRef: { kind: 'Pod', name: 'old', uid: 'uid-old' }, conditions: LEAVING })], {
        name: 'orders-2'
      })
    ],
    pods: [{}],
    expected: ['80: 10.0.0.1:8080 ready uid-a']
  },
  {
    title: 'a port of another name is not meant',
    slices: [slice([at('192.0.2.1')], { ports: [{ name: 'web', port: 8080 }] })],
    expected: []
  },
  {
    title: 'a UDP port is not meant',
    slices: [slice([at('192.0.2.1')], { ports: [{ name: 'http', port: 8080, protocol: 'UDP' }] })],
    expected: []
  },
  {
    title: 'a port without a number is not kept',
    slices: [slice([at('192.0.2.1')], { ports: [{ name: 'http' }] })],
    expected: []
  },
  {
    title: 'only the first address counts',
    slices: [slice([{ addresses: ['192.0.2.1', '192.0.2.2'] }])],
    expected: ['80: 192.0.2.1:8080 ready no pod']
  },
  {
    title: 'an endpoint in two slices is there once, ready if either says so',
    slices: [
      slice([at('192.0.2.1', { conditions: { ready: true } })]),
      slice([at('192.0.2.1', { conditions: { ready: false } })], { name: 'orders-2' })
    ],
    expected: ['80: 192.0.2.1:8080 ready no pod']
  }
]

const other = serviceFromManifest({
  metadata: { name: 'other', namespace: 'shop' },
  spec: { clusterIP: '10.96.0.9', ports: [{ port: 80 }] }
}).value as Service

for (const { title, slices, pods = [], expected, refused } of sliceRows)
  test(`from slices: ${title}`, () => {
    const lists = endpointsFromSlices([service({ selector: {} }), other], slices, indexPods(pods.map(pod)))
    assert.deepEqual(show(lists), expected)
    const lines = lists.flatMap(list => (list.refused?.first ?? []).map(({ address, kind }) => `${address} ${kind}`))
    if (refused !== undefined) assert.deepEqual(lines, refused)
  })

test('of endpoints that are left out the first ten are described, the same ones in whichever order', () => {
  const wrong = Array.from({ length: 50 }, (_, index) => at(`10.1.0.${index}`, podA))
  const [list] = endpointsFromSlices([service({ selector: {} })], [slice(wrong)], indexPods([pod({})]))
  const [reversed] = endpointsFromSlices([service({ selector: {} })], [slice(wrong.toReversed())], indexPods([pod({})]))
  assert.equal(list?.refused?.count, 50)
  assert.equal(list?.refused?.first.length, 10)
  assert.deepEqual(list, reversed)
})

test('a mirror pod is no endpoint, by UID or by name', () => {
  const index = indexPods([], [pod({})])
  for (const target of [{ name: 'a', uid: 'uid-a' }, { name: 'a' }, { uid: 'uid-a' }]) {
    const [list] = endpointsFromSlices([service({ selector: {} })], [slice([at('10.0.0.1', ref(target))])], index)
    assert.deepEqual([list?.ports, list?.refused?.first.map(({ kind }) => kind)], [[], ['mirror-pod']])
  }
})

test('an IPv4 address in an IPv6 slice is refused, however it is written', () => {
  for (const address of ['10.0.0.1', '::ffff:10.0.0.1', '::ffff:a00:1', 'fd00::1%eth0']) {
    const manifest = {
      metadata: { name: 'a', labels: { 'kubernetes.io/service-name': 'a' } },
      addressType: 'IPv6',
      endpoints: [at(address)]
    }
    assert.equal(endpointSliceFromManifest(manifest).value, undefined, address)
  }
})

test('slices of Services that are not there are nothing', () => {
  assert.deepEqual(endpointsFromSlices([], [slice([at('192.0.2.1')])], indexPods([])), [])
})

test('host names instead of addresses are refused', () => {
  const { value, issues } = endpointSliceFromManifest({
    metadata: { name: 'a', labels: { 'kubernetes.io/service-name': 'a' } },
    addressType: 'FQDN',
    endpoints: [at('example.com')]
  })
  assert.equal(value, undefined)
  assert.deepEqual(issues, [{ path: ['addressType'], message: 'expected IPv4 or IPv6, got "FQDN"' }])
})
