// What agents are told of Services of every kind: the addresses that lead to the Service, and the endpoints that a
// client may also call by their own.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inventoryOf, type Manifest, pod, service, settings, slice } from './mesh.test-support.ts'
import { meshState } from './mesh-state.ts'

interface Row {
  readonly title: string
  readonly manifests: readonly Manifest[]
  /** Of shop/orders; undefined when it has no part in the mesh. */
  readonly addresses: readonly string[] | undefined
  /** `80: 10.0.0.1:8080 mutual`, one line for each. */
  readonly endpoints?: readonly string[]
}

const MUTUAL = '80: 10.0.0.1:8080 mutual'
const PORTS = [{ name: 'http', port: 80, targetPort: 8080 }]
const named = (number: number): readonly object[] => [{ name: 'web', containerPort: number }]
const ofPod = { targetRef: { kind: 'Pod', name: 'orders-1', uid: 'uid-orders-1' } }

/** A running pod with an address of each family. */
const dual = (): Manifest => ({
  ...pod(),
  status: {
    phase: 'Running',
    podIP: '10.0.0.1',
    podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }],
    conditions: [{ type: 'Ready', status: 'True' }]
  }
})

const rows: readonly Row[] = [
  {
    title: 'a headless Service has endpoints and no address',
    manifests: [service({ clusterIP: 'None' }), pod()],
    addresses: [],
    endpoints: [MUTUAL]
  },
  {
    title: 'a headless Service of both families has the endpoints of its slices',
    manifests: [
      service({ clusterIP: 'None', selector: {} }),
      dual(),
      slice([{ addresses: ['10.0.0.1'], ...ofPod }]),
      { ...slice([{ addresses: ['fd00::1'], ...ofPod }]), addressType: 'IPv6' }
    ],
    addresses: [],
    endpoints: [MUTUAL, '80: fd00::1:8080 mutual']
  },
  {
    title: 'a Service of both families has two addresses, and each pod two endpoints',
    manifests: [service({ clusterIPs: ['10.96.0.1', 'fd00:96::1'] }), dual()],
    addresses: ['10.96.0.1', 'fd00:96::1'],
    endpoints: [MUTUAL, '80: fd00::1:8080 mutual']
  },
  {
    title: 'a Service of IPv6 alone has the IPv6 endpoint of a pod of both',
    manifests: [service({ clusterIP: 'fd00:96::1' }), dual()],
    addresses: ['fd00:96::1'],
    endpoints: ['80: fd00::1:8080 mutual']
  },
  {
    title: 'a named target port is whichever number each pod gives it',
    manifests: [
      service({ ports: [{ name: 'http', port: 80, targetPort: 'web' }] }),
      pod({ ports: named(9000) }),
      pod({ name: 'orders-2', address: '10.0.0.2', ports: named(9001) })
    ],
    addresses: ['10.96.0.1'],
    endpoints: ['80: 10.0.0.1:9000 mutual', '80: 10.0.0.2:9001 mutual']
  },
  {
    title: 'a pod that lacks the named port is no endpoint',
    manifests: [service({ ports: [{ name: 'http', port: 80, targetPort: 'web' }] }), pod()],
    addresses: ['10.96.0.1'],
    endpoints: []
  },
  {
    title: 'several ports may lead to one target port',
    manifests: [service({ ports: [...PORTS, { name: 'other', port: 81, targetPort: 8080 }] }), pod()],
    addresses: ['10.96.0.1'],
    endpoints: [MUTUAL, '81: 10.0.0.1:8080 mutual']
  },
  {
    title: 'a Service may publish pods that are not ready',
    manifests: [service({ clusterIP: 'None', publishNotReadyAddresses: true }), pod({ ready: false })],
    addresses: [],
    endpoints: [MUTUAL]
  },
  {
    title: 'a NodePort leads to the Service by its cluster address alone',
    manifests: [service({ type: 'NodePort', ports: [{ ...PORTS[0], nodePort: 30_080 }] }), pod()],
    addresses: ['10.96.0.1'],
    endpoints: [MUTUAL]
  },
  {
    title: 'a LoadBalancer leads to the Service by its cluster address alone',
    manifests: [
      {
        ...service({ type: 'LoadBalancer', externalIPs: ['192.0.2.9'] }),
        status: { loadBalancer: { ingress: [{ ip: '192.0.2.10' }] } }
      },
      pod()
    ],
    addresses: ['10.96.0.1'],
    endpoints: [MUTUAL]
  },
  {
    title: 'endpoints by hand are plaintext where they are no pods, and mutual TLS where they are',
    manifests: [
      service({ selector: {} }),
      slice([{ addresses: ['192.0.2.1'] }, { addresses: ['10.0.0.1'], ...ofPod }]),
      pod()
    ],
    addresses: ['10.96.0.1'],
    endpoints: [MUTUAL, '80: 192.0.2.1:8080 plain']
  },
  {
    title: 'an ExternalName is no place of the mesh, whatever it selects',
    manifests: [service({ type: 'ExternalName', externalName: 'example.com' }), pod()],
    addresses: undefined
  },
  {
    title: 'a headless Service without ports says of no port who is there',
    manifests: [service({ clusterIP: 'None', ports: [] }), pod()],
    addresses: undefined
  }
]

for (const { title, manifests, addresses, endpoints } of rows)
  test(`kinds of Services: ${title}`, () => {
    const state = meshState(inventoryOf(manifests), settings)
    assert.deepEqual(state.services.get('shop/orders')?.addresses, addresses)
    const lines = state.endpoints
      .get('shop/orders')
      ?.ports.flatMap(({ servicePort, endpoints }) =>
        endpoints.map(
          ({ address, port, mutualTls }) => `${servicePort}: ${address}:${port} ${mutualTls ? 'mutual' : 'plain'}`
        )
      )
    assert.deepEqual(lines, endpoints)
    assert.deepEqual(state.problems, [])
  })

const forbidden = (...manifests: readonly Manifest[]): readonly string[] =>
  (meshState(inventoryOf(manifests), settings).endpoints.get('shop/orders')?.ports ?? []).flatMap(({ untrusted }) =>
    untrusted.map(({ address, port }) => `${address}:${port}`)
  )
const onNode = (manifest: Manifest): Manifest => ({
  ...manifest,
  spec: { ...(manifest['spec'] as object), hostNetwork: true }
})
const stranger = pod({ name: 'stranger', account: 'guest', address: '10.0.0.9' })
const headless = { clusterIP: 'None', pin: 'orders' }

const forbiddances: Readonly<Record<string, readonly [manifests: readonly Manifest[], expected: readonly string[]]>> = {
  'a pod of another account, where it is headless': [[service(headless), pod(), stranger], ['10.0.0.9:8080']],
  'every pod, where it pins nobody': [
    [service({ ...headless, pin: '' }), pod(), stranger],
    ['10.0.0.1:8080', '10.0.0.9:8080']
  ],
  'such a pod that is not ready, too': [
    [service(headless), pod({ name: 'stranger', account: 'guest', address: '10.0.0.9', ready: false })],
    ['10.0.0.9:8080']
  ],
  'nothing that is no pod': [[service({ ...headless, selector: {} }), slice([{ addresses: ['192.0.2.1'] }])], []],
  'no pod of another namespace': [
    [
      service({ ...headless, selector: {} }),
      slice([{ addresses: ['10.0.0.5'] }]),
      pod({ namespace: 'billing', address: '10.0.0.5' })
    ],
    []
  ],
  'no pod in the network of its node': [
    [service(headless), onNode(pod({ name: 'stranger', account: 'guest', address: '10.0.0.9' }))],
    []
  ],
  'no pod that has ended, whose address may be another’s': [
    [service(headless), pod({ name: 'stranger', account: 'guest', address: '10.0.0.9', phase: 'Failed' })],
    []
  ],
  'nobody, where it has an address of its own': [[service({ pin: 'orders' }), stranger], []],
  'nobody, where it pins nothing': [[service({ clusterIP: 'None' }), stranger], []]
}

for (const [what, [manifests, expected]] of Object.entries(forbiddances))
  test(`clients keep away from places of a Service that pins its accounts: ${what}`, () =>
    assert.deepEqual(forbidden(...manifests), expected))
