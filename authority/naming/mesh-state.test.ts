import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseTrustDomain } from '../../shared/identity/index.ts'
import { MutualTlsMode, Protocol, type Workload } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { inventoryOf, type Manifest, pod, policy, service, settings, slice } from './mesh.test-support.ts'
import { type MeshState, meshState } from './mesh-state.ts'

const stateOf = (...manifests: readonly Manifest[]) => meshState(inventoryOf(manifests), settings)

/** The accounts that shop/orders trusts. */
const accounts = ({ services }: MeshState) =>
  services.get('shop/orders')?.identities.map(identity => identity.replace('spiffe://cluster.local/ns/', ''))

/** `80: 10.0.0.1:8080 mutual`, one line per endpoint of shop/orders that may be chosen, or per one that is not ready. */
const endpoints = (state: MeshState, list: 'endpoints' | 'unready' = 'endpoints') =>
  state.endpoints
    .get('shop/orders')
    ?.ports.flatMap(({ servicePort, [list]: places }) =>
      places.map(
        ({ address, port, mutualTls }) => `${servicePort}: ${address}:${port} ${mutualTls ? 'mutual' : 'plain'}`
      )
    )

interface NamingRow {
  readonly title: string
  readonly manifests: readonly Manifest[]
  readonly accounts: readonly string[]
  readonly endpoints: readonly string[]
  readonly unready?: readonly string[]
  readonly problems?: readonly string[]
}

const guest = { name: 'guest-1', account: 'guest', address: '10.0.0.2' }
const ORDERS = 'shop/sa/orders'
const MUTUAL = '80: 10.0.0.1:8080 mutual'
const PLAIN = '80: 10.0.0.1:8080 plain'
const BEHIND = { addresses: ['10.0.0.1'], targetRef: { kind: 'Pod', name: 'orders-1', uid: 'uid-orders-1' } }
const LEAVING = { ready: false, serving: true, terminating: true }

const naming: readonly NamingRow[] = [
  {
    title: 'the account of the pod behind a Service is its identity',
    manifests: [service(), pod()],
    accounts: [ORDERS],
    endpoints: [MUTUAL]
  },
  {
    title: 'accounts of several pods are all identities, each once, sorted',
    manifests: [service(), pod(), pod({ name: 'b', address: '10.0.0.3' }), pod(guest)],
    accounts: ['shop/sa/guest', ORDERS],
    endpoints: [MUTUAL, '80: 10.0.0.2:8080 mutual', '80: 10.0.0.3:8080 mutual']
  },
  { title: 'a Service without pods trusts nobody', manifests: [service()], accounts: [], endpoints: [] },
  {
    title: 'a pod that is not ready is known before it gets traffic, and called with mutual TLS by its own address',
    manifests: [service(), pod({ ready: false })],
    accounts: [ORDERS],
    endpoints: [],
    unready: [MUTUAL]
  },
  {
    title: 'a pod that is not ready is apart from those that are',
    manifests: [service(), pod({ name: 'b', address: '10.0.0.3', ready: false }), pod(guest), pod({ ready: false })],
    accounts: ['shop/sa/guest', ORDERS],
    endpoints: ['80: 10.0.0.2:8080 mutual'],
    unready: [MUTUAL, '80: 10.0.0.3:8080 mutual']
  },
  {
    title: 'a pod that is not ready gets traffic where its Service publishes such pods',
    manifests: [service({ publishNotReadyAddresses: true }), pod({ ready: false })],
    accounts: [ORDERS],
    endpoints: [MUTUAL]
  },
  {
    title: 'a pod that is not ready and has no proxy is not told: its address is left as it is',
    manifests: [service(), pod({ ready: false, proxy: false })],
    accounts: [ORDERS],
    endpoints: []
  },
  {
    title: 'a pod that is not ready and disables mutual TLS is not told either',
    manifests: [service(), pod({ ready: false }), policy({ namespace: 'shop', mode: 'DISABLE' })],
    accounts: [ORDERS],
    endpoints: []
  },
  {
    title: 'a pod that is not ready and excludes the port is not told either',
    manifests: [service(), pod({ ready: false, annotations: { 'countersign.dev/exclude-inbound-ports': '8080' } })],
    accounts: [ORDERS],
    endpoints: []
  },
  {
    title: 'a pod that is not ready and not pinned is left out without a word',
    manifests: [service({ pin: 'orders' }), pod({ ...guest, ready: false })],
    accounts: [ORDERS],
    endpoints: []
  },
  {
    title: 'a pod without an address is known before it gets traffic',
    manifests: [service(), pod({ address: '' })],
    accounts: [ORDERS],
    endpoints: []
  },
  {
    title: 'a pod that is not scheduled is known before it gets traffic',
    manifests: [service(), pod({ address: '', node: undefined, phase: 'Pending' })],
    accounts: [ORDERS],
    endpoints: []
  },
  {
    title: 'a terminating pod stays known and gets no traffic, but what calls its own address',
    manifests: [service(), pod({ deleted: true })],
    accounts: [ORDERS],
    endpoints: [],
    unready: [MUTUAL]
  },
  {
    title: 'a terminating pod gets no traffic where its Service publishes what is not ready',
    manifests: [service({ publishNotReadyAddresses: true }), pod({ deleted: true })],
    accounts: [ORDERS],
    endpoints: [],
    unready: [MUTUAL]
  },
  {
    title: 'a terminating pod that has ended has no address any more',
    manifests: [service(), pod({ deleted: true, phase: 'Succeeded' })],
    accounts: [],
    endpoints: []
  },
  {
    title: 'a pod that has ended is not trusted any more',
    manifests: [service(), pod({ phase: 'Succeeded' })],
    accounts: [],
    endpoints: []
  },
  {
    title: 'a pod that has failed is not trusted any more',
    manifests: [service(), pod({ phase: 'Failed' })],
    accounts: [],
    endpoints: []
  },
  {
    title: 'a pod that does not match is not trusted',
    manifests: [service(), pod({ labels: { app: 'guest' } })],
    accounts: [],
    endpoints: []
  },
  {
    title: 'a pod of another namespace is not trusted',
    manifests: [service(), pod({ namespace: 'other' })],
    accounts: [],
    endpoints: []
  },
  {
    title: 'a pod without a proxy is reached in plain text',
    manifests: [service(), pod({ proxy: false })],
    accounts: [ORDERS],
    endpoints: [PLAIN]
  },
  {
    title: 'a workload that disables mutual TLS is reached in plain text',
    manifests: [service(), pod(), policy({ namespace: 'shop', mode: 'DISABLE' })],
    accounts: [ORDERS],
    endpoints: [PLAIN]
  },
  {
    title: 'a port that disables mutual TLS is reached in plain text',
    manifests: [
      service(),
      pod(),
      policy({ namespace: 'shop', selector: { app: 'orders' }, mode: 'STRICT', ports: { 8080: 'DISABLE' } })
    ],
    accounts: [ORDERS],
    endpoints: [PLAIN]
  },
  {
    title: "the number of the Service's port is not that of the workload",
    manifests: [
      service(),
      pod(),
      policy({ namespace: 'shop', selector: { app: 'orders' }, mode: 'STRICT', ports: { 80: 'DISABLE' } })
    ],
    accounts: [ORDERS],
    endpoints: [MUTUAL]
  },
  {
    title: 'a port may accept mutual TLS though its workload disables it',
    manifests: [
      service(),
      pod(),
      policy({ namespace: 'shop', selector: { app: 'orders' }, mode: 'DISABLE', ports: { 8080: 'PERMISSIVE' } })
    ],
    accounts: [ORDERS],
    endpoints: [MUTUAL]
  },
  {
    title: 'a permissive workload is reached with mutual TLS',
    manifests: [service(), pod(), policy({ namespace: 'shop', mode: 'PERMISSIVE' })],
    accounts: [ORDERS],
    endpoints: [MUTUAL]
  },
  {
    title: 'a pin leaves out a pod that merely matches',
    manifests: [service({ pin: 'orders' }), pod(), pod(guest)],
    accounts: [ORDERS],
    endpoints: [MUTUAL],
    problems: [
      'Service shop/orders: endpoint 10.0.0.2 port 8080 is left out: pod shop/guest-1 runs as shop/guest, and the Service pins its accounts'
    ]
  },
  {
    title: 'a pinned account is known before it has a pod',
    manifests: [service({ pin: 'orders,billing/orders' })],
    accounts: ['billing/sa/orders', ORDERS],
    endpoints: []
  },
  {
    title: 'a pin to nobody is nobody',
    manifests: [service({ pin: '' }), pod()],
    accounts: [],
    endpoints: [],
    problems: [
      'Service shop/orders: endpoint 10.0.0.1 port 8080 is left out: pod shop/orders-1 runs as shop/orders, and the Service pins its accounts'
    ]
  },
  {
    title: 'an account of the same name in another namespace is another account',
    manifests: [service({ pin: 'billing/orders' }), pod()],
    accounts: ['billing/sa/orders'],
    endpoints: [],
    problems: [
      'Service shop/orders: endpoint 10.0.0.1 port 8080 is left out: pod shop/orders-1 runs as shop/orders, and the Service pins its accounts'
    ]
  },
  {
    title: 'a pinned pod without a proxy is reached in plain text',
    manifests: [service({ pin: 'orders' }), pod({ proxy: false })],
    accounts: [ORDERS],
    endpoints: [PLAIN]
  },
  {
    title: 'an endpoint that is no pod is reached in plain text and trusted by nobody',
    manifests: [service({ selector: {} }), slice([{ addresses: ['192.0.2.1'] }])],
    accounts: [],
    endpoints: ['80: 192.0.2.1:8080 plain']
  },
  {
    title: 'a Service that pins its accounts has no endpoints that are no pods',
    manifests: [service({ selector: {}, pin: 'orders' }), slice([{ addresses: ['192.0.2.1'] }])],
    accounts: [ORDERS],
    endpoints: [],
    problems: [
      'Service shop/orders: endpoint 192.0.2.1 port 8080 is left out: it is no pod, and the Service pins its accounts'
    ]
  },
  {
    title: 'the pod of a slice is trusted and reached with mutual TLS',
    manifests: [
      service({ selector: {} }),
      slice([{ addresses: ['10.0.0.1'], targetRef: { kind: 'Pod', name: 'orders-1', uid: 'uid-orders-1' } }]),
      pod()
    ],
    accounts: [ORDERS],
    endpoints: [MUTUAL]
  },
  {
    title: 'a slice that names a pod by nothing but its address means that pod',
    manifests: [service({ selector: {} }), slice([{ addresses: ['10.0.0.1'] }]), pod()],
    accounts: [ORDERS],
    endpoints: [MUTUAL]
  },
  {
    title: 'the pod of a slice stays known while it is terminating',
    manifests: [service({ selector: {} }), slice([{ ...BEHIND, conditions: LEAVING }]), pod({ deleted: true })],
    accounts: [ORDERS],
    endpoints: [],
    unready: [MUTUAL]
  },
  {
    title: 'the pod of a slice that still names it has no address when it has ended',
    manifests: [service({ selector: {} }), slice([{ ...BEHIND, conditions: LEAVING }]), pod({ phase: 'Failed' })],
    accounts: [],
    endpoints: []
  },
  {
    title: 'an endpoint that is no pod and not ready is not told',
    manifests: [service({ selector: {} }), slice([{ addresses: ['192.0.2.1'], conditions: { ready: false } }])],
    accounts: [],
    endpoints: []
  },
  {
    title: 'an endpoint that is not ready and whose pod is not known is left out without a word',
    manifests: [service({ selector: {} }), slice([{ ...BEHIND, conditions: { ready: false } }])],
    accounts: [],
    endpoints: []
  },
  {
    title: 'an endpoint whose pod is not known is left out rather than reached in plain text',
    manifests: [
      service({ selector: {} }),
      slice([{ addresses: ['10.0.0.1'], targetRef: { kind: 'Pod', name: 'x', uid: 'uid-x' } }])
    ],
    accounts: [],
    endpoints: [],
    problems: ['Service shop/orders: endpoint 10.0.0.1 is left out: pod shop/x (UID uid-x) is not known']
  }
]

for (const { title, manifests, accounts: trusted, endpoints: places, unready = [], problems = [] } of naming)
  test(`naming: ${title}`, () => {
    const state = stateOf(...manifests)
    assert.deepEqual(accounts(state), trusted)
    assert.deepEqual(endpoints(state), places)
    assert.deepEqual(endpoints(state, 'unready'), unready)
    assert.deepEqual(
      state.problems.map(({ object, message }) => `${object}: ${message}`),
      problems
    )
  })

const port = (containerPort: number, name?: string) => ({ containerPort, name })
const ports = (workload: Workload | undefined) =>
  workload?.ports.map(({ number, protocol }) => `${number} ${Protocol[protocol]}`)

const declared: readonly {
  title: string
  manifests: readonly Manifest[]
  expected: readonly string[]
  problems?: readonly string[]
}[] = [
  { title: 'a pod without declarations has no ports', manifests: [pod()], expected: [] },
  {
    title: 'a port of a container is what its name says, or anything',
    manifests: [pod({ ports: [port(1), port(2, 'web'), port(3, 'grpc')] })],
    expected: ['1 UNSPECIFIED', '2 UNSPECIFIED', '3 HTTP2']
  },
  { title: 'a UDP port is none', manifests: [pod({ ports: [{ containerPort: 53, protocol: 'UDP' }] })], expected: [] },
  { title: 'the target port of a Service is a port', manifests: [pod(), service()], expected: ['8080 HTTP'] },
  {
    title: 'a port that is said to be TCP is not one of which nothing is said',
    manifests: [pod({ ports: [port(8080, 'tcp')] }), service({ ports: [{ name: 'redis', port: 1, targetPort: 9 }] })],
    expected: ['9 TCP', '8080 TCP']
  },
  {
    title: 'an appProtocol that is not known holds over its name, and over a container that declares TCP',
    manifests: [
      pod({ ports: [port(8080, 'tcp')] }),
      service({ ports: [{ name: 'http', appProtocol: 'amqps', port: 80, targetPort: 8080 }] })
    ],
    expected: ['8080 UNSPECIFIED'],
    problems: [
      'Service shop/orders: port 8080 of its pods is declared TCP by port name "tcp" of a container and no known protocol by appProtocol "amqps" of Service shop/orders: no known protocol holds; declare the same in both'
    ]
  },
  {
    title: 'HTTP that the container declares holds over every other declaration of a Service',
    manifests: [
      pod({ ports: [port(8080, 'http')] }),
      service({ ports: [{ name: 'http', appProtocol: 'amqps', port: 80, targetPort: 8080 }] })
    ],
    expected: ['8080 HTTP'],
    problems: [
      'Service shop/orders: port 8080 of its pods is declared no known protocol by appProtocol "amqps" of Service shop/orders and HTTP by port name "http" of a container: HTTP holds; declare the same in both'
    ]
  },
  {
    title: "HTTP that a Service declares holds over the name of the container's port",
    manifests: [pod({ ports: [port(8080, 'tcp-x')] }), service()],
    expected: ['8080 HTTP'],
    problems: [
      'Service shop/orders: port 8080 of its pods is declared TCP by port name "tcp-x" of a container and HTTP by port name "http" of Service shop/orders: HTTP holds; declare the same in both'
    ]
  },
  {
    title: "the port of a Service holds over the name of the container's where neither is HTTP",
    manifests: [pod({ ports: [port(9, 'tls-x')] }), service({ ports: [{ name: 'tcp', port: 80, targetPort: 9 }] })],
    expected: ['9 TCP'],
    problems: [
      'Service shop/orders: port 9 of its pods is declared TLS by port name "tls-x" of a container and TCP by port name "tcp" of Service shop/orders: TCP holds; declare the same in both'
    ]
  },
  {
    title: 'a Service that says nothing leaves it to the container',
    manifests: [
      pod({ ports: [port(8080, 'http')] }),
      service({ ports: [{ name: 'web', port: 80, targetPort: 8080 }] })
    ],
    expected: ['8080 HTTP']
  },
  {
    title: 'a Service that says nothing makes a port known, and not what is spoken',
    manifests: [pod(), service({ ports: [{ port: 80, targetPort: 9000 }] })],
    expected: ['9000 UNSPECIFIED']
  },
  {
    title: 'a named target port is found',
    manifests: [
      pod({ ports: [port(9000, 'web')] }),
      service({ ports: [{ name: 'http', port: 80, targetPort: 'web' }] })
    ],
    expected: ['9000 HTTP']
  },
  {
    title: 'a named target port that the pod lacks is none',
    manifests: [pod(), service({ ports: [{ name: 'http', port: 80, targetPort: 'web' }] })],
    expected: []
  },
  {
    title: 'Services that agree are no problem',
    manifests: [pod(), service(), service({ name: 'other' })],
    expected: ['8080 HTTP']
  },
  {
    title: 'a Service that says nothing does not contradict one that does',
    manifests: [pod(), service({ name: 'a', ports: [{ port: 1, targetPort: 8080 }] }), service()],
    expected: ['8080 HTTP']
  },
  {
    title: 'of two Services that contradict each other the one that declares HTTP holds, and both are told',
    manifests: [pod(), service({ name: 'a', ports: [{ name: 'tcp', port: 1, targetPort: 8080 }] }), service()],
    expected: ['8080 HTTP'],
    problems: ['Service shop/a', 'Service shop/orders'].map(
      object =>
        `${object}: port 8080 of its pods is declared TCP by port name "tcp" of Service shop/a and HTTP by port name "http" of Service shop/orders: HTTP holds; declare the same in both`
    )
  },
  {
    title: 'of two Services of which none declares HTTP the first by name holds',
    manifests: [
      pod(),
      service({ name: 'z', ports: [{ name: 'tcp', port: 1, targetPort: 8080 }] }),
      service({ name: 'a', ports: [{ name: 'https', port: 1, targetPort: 8080 }] })
    ],
    expected: ['8080 TLS'],
    problems: ['Service shop/a', 'Service shop/z'].map(
      object =>
        `${object}: port 8080 of its pods is declared TCP by port name "tcp" of Service shop/z and TLS by port name "https" of Service shop/a: TLS holds; declare the same in both`
    )
  },
  {
    title: 'ports are in the order of their numbers',
    manifests: [pod({ ports: [port(9), port(7)] }), service()],
    expected: ['7 UNSPECIFIED', '9 UNSPECIFIED', '8080 HTTP']
  }
]

for (const { title, manifests, expected, problems = [] } of declared)
  test(`ports: ${title}`, () => {
    const state = stateOf(...manifests)
    assert.deepEqual(ports(state.workloadsByNode.get('node-1')?.get('uid-orders-1')), expected)
    assert.deepEqual(
      state.problems.map(({ object, message }) => `${object}: ${message}`),
      problems
    )
  })

test('says of every port why it is taken for what it is', () => {
  const state = stateOf(
    pod({ ports: [port(1), port(2, 'grpc-api'), port(3, 'tcp')] }),
    service({
      ports: [
        { name: 'http-web', port: 80, targetPort: 3 },
        { name: 'web', appProtocol: 'kubernetes.io/h2c', port: 81, targetPort: 4 },
        { name: 'web2', appProtocol: 'amqps', port: 82, targetPort: 5 },
        { name: 'admin', port: 83, targetPort: 6 }
      ]
    })
  )
  assert.deepEqual(
    state.workloadsByNode
      .get('node-1')
      ?.get('uid-orders-1')
      ?.ports.map(({ number, reason }) => `${number}: ${reason}`),
    [
      '1: nothing says what is spoken',
      '2: port name "grpc-api" of a container',
      '3: port name "http-web" of Service shop/orders',
      '4: appProtocol "kubernetes.io/h2c" of Service shop/orders',
      '5: appProtocol "amqps" of Service shop/orders',
      '6: nothing says what is spoken'
    ]
  )
})

test('a Service tells its clients when it says nothing of a port', () => {
  const ports = [
    { name: 'web', port: 80 },
    { name: 'tcp', port: 81 },
    { name: 'http', appProtocol: 'amqps', port: 82 }
  ]
  assert.deepEqual(
    stateOf(service({ ports }))
      .services.get('shop/orders')
      ?.ports.map(({ protocol }) => Protocol[protocol]),
    ['UNSPECIFIED', 'TCP', 'UNSPECIFIED']
  )
})

const noWorkload: readonly { title: string; pod: Manifest }[] = [
  { title: 'without a proxy', pod: pod({ proxy: false }) },
  { title: 'without a node', pod: pod({ node: undefined }) },
  { title: 'that has ended', pod: pod({ phase: 'Failed' }) }
]

for (const { title, pod } of noWorkload)
  test(`a pod ${title} is no workload`, () => {
    assert.equal(stateOf(pod).workloadsByNode.size, 0)
  })

test('a workload is told to its node alone, with everything that its agent needs', () => {
  const strict = policy({ namespace: 'shop', selector: { app: 'orders' }, mode: 'STRICT', ports: { 9090: 'DISABLE' } })
  const { workloadsByNode } = stateOf(pod(), pod({ name: 'b', node: 'node-2', address: '10.0.0.2' }), service(), strict)
  assert.deepEqual([...workloadsByNode.keys()], ['node-1', 'node-2'])
  assert.deepEqual([...(workloadsByNode.get('node-2') ?? new Map()).keys()], ['uid-b'])
  const message = workloadsByNode.get('node-1')?.get('uid-orders-1')
  assert.ok(message)
  const { $typeName, ports: _, ...workload } = message
  assert.deepEqual(workload, {
    uid: 'uid-orders-1',
    namespace: 'shop',
    name: 'orders-1',
    serviceAccount: 'orders',
    addresses: ['10.0.0.1'],
    mode: MutualTlsMode.STRICT,
    portModes: { 9090: MutualTlsMode.DISABLE }
  })
})

test('a terminating pod goes on to be a workload', () => {
  assert.equal(stateOf(pod({ deleted: true })).workloadsByNode.get('node-1')?.size, 1)
})

test('a Service is told with its addresses, and with its TCP ports in their order', () => {
  const more = [
    { name: 'https', port: 443 },
    { name: 'http', port: 80 },
    { name: 'dns', port: 53, protocol: 'UDP' }
  ]
  const message = stateOf(service({ ports: more })).services.get('shop/orders')
  assert.deepEqual(message?.addresses, ['10.96.0.1'])
  assert.deepEqual(
    message?.ports.map(({ number, name, protocol }) => [number, name, protocol]),
    [
      [80, 'http', Protocol.HTTP],
      [443, 'https', Protocol.TLS]
    ]
  )
})

test('a headless Service has no address, and endpoints like any other', () => {
  const state = stateOf(service({ clusterIP: 'None' }), pod())
  assert.deepEqual(state.services.get('shop/orders')?.addresses, [])
  assert.deepEqual(endpoints(state), [MUTUAL])
})

test('Services without TCP ports and those outside the cluster have no part', () => {
  const state = stateOf(
    service({ name: 'dns', ports: [{ port: 53, protocol: 'UDP' }] }),
    service({ name: 'elsewhere', type: 'ExternalName', externalName: 'example.com' })
  )
  assert.deepEqual([...state.services.keys(), ...state.endpoints.keys()], [])
})

test('whoever may be called has an account among the identities of the Service, ready or not', () => {
  const manifest = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    account: fc.constantFrom('orders', 'guest', 'other'),
    ready: fc.boolean(),
    deleted: fc.boolean(),
    phase: fc.constantFrom('Pending', 'Running', 'Succeeded'),
    proxy: fc.boolean()
  })
  const pods = fc.uniqueArray(manifest, { selector: ({ name }) => name })
  fc.assert(
    fc.property(pods, fc.constantFrom(undefined, 'orders', 'orders,guest'), (pods, pin) => {
      const address = (name: string) => `10.0.0.${name.codePointAt(0)}`
      const state = stateOf(
        service(pin === undefined ? {} : { pin }),
        ...pods.map(options => pod({ ...options, address: address(options.name) }))
      )
      const accountAt = new Map(pods.map(({ name, account }) => [`80: ${address(name)}:8080 mutual`, account]))
      for (const list of ['endpoints', 'unready'] as const)
        for (const place of endpoints(state, list)?.filter(line => line.endsWith('mutual')) ?? [])
          assert.ok(accounts(state)?.includes(`shop/sa/${accountAt.get(place)}`), place)
    })
  )
})

test('every port of a Service has an entry, even if nobody is behind it', () => {
  const message = stateOf(service()).endpoints.get('shop/orders')
  assert.deepEqual(
    message?.ports.map(({ servicePort, endpoints }) => [servicePort, endpoints]),
    [[80, []]]
  )
})

test("identities are of the mesh's own trust domain", () => {
  const other = { ...settings, trustDomain: parseTrustDomain('example.org') }
  const state = meshState(inventoryOf([service(), pod()]), other)
  assert.deepEqual(state.services.get('shop/orders')?.identities, ['spiffe://example.org/ns/shop/sa/orders'])
  assert.equal(state.mesh.trustDomain, 'example.org')
})

test('Service and Endpoints have equal names, whatever the inventory', () => {
  const { services, endpoints } = stateOf(service(), service({ name: 'a' }), service({ name: 'b', namespace: 'other' }))
  assert.deepEqual([...services.keys()], ['other/b', 'shop/a', 'shop/orders'])
  assert.deepEqual([...endpoints.keys()], [...services.keys()])
})

test('the order of the manifests does not matter', () => {
  const manifests = [
    service(),
    service({ name: 'z', ports: [{ name: 'tcp', port: 1, targetPort: 8080 }] }),
    pod(),
    pod(guest),
    pod({ name: 'c', address: '10.0.0.3', node: 'node-2' }),
    policy({ namespace: 'shop', mode: 'STRICT' }),
    policy({ namespace: 'shop', name: 'other', mode: 'DISABLE' })
  ]
  const expected = stateOf(...manifests)
  fc.assert(
    fc.property(fc.shuffledSubarray(manifests, { minLength: manifests.length }), shuffled => {
      assert.deepEqual(stateOf(...shuffled), expected)
    })
  )
})

test('what is worked out with a previous state equals what is worked out without', () => {
  const manifest = fc.oneof(
    fc
      .record({ name: fc.constantFrom('orders', 'z'), pin: fc.constantFrom(undefined, '', 'orders', 'guest') })
      .map(({ name, pin }) => service({ name, ...(pin === undefined ? {} : { pin }) })),
    fc
      .record({
        name: fc.constantFrom('a', 'b'),
        account: fc.constantFrom('orders', 'guest'),
        proxy: fc.boolean(),
        ready: fc.boolean(),
        deleted: fc.boolean(),
        node: fc.constantFrom('node-1', 'node-2', undefined)
      })
      .map(options => pod({ ...options, address: `10.0.0.${options.name.codePointAt(0)}` })),
    fc
      .record({ mode: fc.constantFrom('STRICT', 'DISABLE', 'UNSET') })
      .map(({ mode }) => policy({ namespace: 'shop', mode }))
  )
  const step = fc.uniqueArray(manifest, {
    selector: ({ kind, metadata }) => `${kind} ${(metadata as { name: string }).name}`
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 2, maxLength: 5 }), steps => {
      let inventory = inventoryOf([])
      let state = meshState(inventory, settings)
      for (const manifests of steps) {
        inventory = inventoryOf(manifests, inventory)
        state = meshState(inventory, settings, state)
        assert.deepEqual(state, meshState(inventoryOf(manifests), settings))
      }
    }),
    { numRuns: 300 }
  )
})
