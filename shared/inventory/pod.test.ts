import assert from 'node:assert/strict'
import { test } from 'node:test'
import { podFromApi, podFromManifest, uidOfManifest } from './pod.ts'
import type { Pod } from './types.ts'

const pod = (changes: { metadata?: object; spec?: object; status?: object } = {}) => ({
  metadata: { name: 'orders-1', namespace: 'shop', ...changes.metadata },
  spec: { containers: [{ name: 'app' }], ...changes.spec },
  ...(changes.status === undefined ? {} : { status: changes.status })
})

const SIDECAR = { name: 'countersign-proxy', restartPolicy: 'Always', volumeMounts: [{ name: 'countersign' }] }
const PROXIED = {
  initContainers: [SIDECAR],
  volumes: [{ name: 'countersign', csi: { driver: 'csi.countersign.dev' } }]
}
const ready = { type: 'Ready', status: 'True' }
const port = (containerPort: number, name?: string, protocol?: string) => ({ containerPort, name, protocol })

const readings: readonly {
  title: string
  manifest: object
  expected: { readonly [Field in keyof Pod]?: Pod[Field] | undefined }
}[] = [
  {
    title: 'a pod that names no namespace is in default',
    manifest: pod({ metadata: { namespace: undefined } }),
    expected: { namespace: 'default' }
  },
  { title: 'a pod that names no account runs as default', manifest: pod(), expected: { serviceAccount: 'default' } },
  {
    title: 'an empty account means default',
    manifest: pod({ spec: { serviceAccountName: '' } }),
    expected: { serviceAccount: 'default' }
  },
  {
    title: 'an account is read',
    manifest: pod({ spec: { serviceAccountName: 'orders' } }),
    expected: { serviceAccount: 'orders' }
  },
  { title: 'a UID is read', manifest: pod({ metadata: { uid: 'a-b' } }), expected: { uid: 'a-b' } },
  {
    title: 'a pod without a phase is Pending and not ready',
    manifest: pod(),
    expected: { phase: 'Pending', ready: false }
  },
  {
    title: 'a Running pod without conditions is ready',
    manifest: pod({ status: { phase: 'Running' } }),
    expected: { ready: true }
  },
  {
    title: 'a condition says that a pod is ready',
    manifest: pod({ status: { phase: 'Running', conditions: [ready] } }),
    expected: { ready: true }
  },
  {
    title: 'conditions without Ready make a pod not ready',
    manifest: pod({ status: { phase: 'Running', conditions: [{ type: 'Initialized', status: 'True' }] } }),
    expected: { ready: false }
  },
  {
    title: 'Ready may be False',
    manifest: pod({ status: { phase: 'Running', conditions: [{ ...ready, status: 'False' }] } }),
    expected: { ready: false }
  },
  {
    title: 'a time of deletion makes it terminating',
    manifest: pod({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }),
    expected: { terminating: true, deletionTime: Date.UTC(2026, 0, 1) }
  },
  {
    title: 'a time of deletion may be a Date, as clients deliver it',
    manifest: pod({ metadata: { deletionTimestamp: new Date(0) } }),
    expected: { terminating: true, deletionTime: 0 }
  },
  {
    title: 'an explicit null is nothing',
    manifest: pod({ metadata: { deletionTimestamp: null, labels: null, annotations: null, uid: null } }),
    expected: { terminating: false, labels: {} }
  },
  {
    title: 'the primary address comes first and once',
    manifest: pod({ status: { podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] } }),
    expected: { addresses: ['10.0.0.1', 'fd00::1'] }
  },
  { title: 'an empty address is none', manifest: pod({ status: { podIP: '' } }), expected: { addresses: [] } },
  { title: 'a node is read', manifest: pod({ spec: { nodeName: 'node-1' } }), expected: { node: 'node-1' } },
  {
    title: 'a native sidecar of the name, which mounts the volume of the name and the driver, is a proxy',
    manifest: pod({ spec: PROXIED }),
    expected: { hasProxy: true }
  },
  {
    title: 'a native sidecar of the name without the volume is no proxy',
    manifest: pod({ spec: { ...PROXIED, volumes: [] } }),
    expected: { hasProxy: false }
  },
  {
    title: 'a native sidecar of the name with the volume of another driver is no proxy',
    manifest: pod({ spec: { ...PROXIED, volumes: [{ name: 'countersign', csi: { driver: 'csi.example.com' } }] } }),
    expected: { hasProxy: false }
  },
  {
    title: 'a native sidecar of the name with a volume of another kind is no proxy',
    manifest: pod({ spec: { ...PROXIED, volumes: [{ name: 'countersign', emptyDir: {} }] } }),
    expected: { hasProxy: false }
  },
  {
    title: 'a native sidecar of the name with the driver in a volume of another name is no proxy',
    manifest: pod({ spec: { ...PROXIED, volumes: [{ name: 'mine', csi: { driver: 'csi.countersign.dev' } }] } }),
    expected: { hasProxy: false }
  },
  {
    title: 'a native sidecar of the name that does not mount the volume is no proxy',
    manifest: pod({ spec: { ...PROXIED, initContainers: [{ ...SIDECAR, volumeMounts: [{ name: 'mine' }] }] } }),
    expected: { hasProxy: false }
  },
  {
    title: 'an init container of the name is no proxy',
    manifest: pod({ spec: { ...PROXIED, initContainers: [{ ...SIDECAR, restartPolicy: undefined }] } }),
    expected: { hasProxy: false }
  },
  {
    title: 'a container of the name is no proxy',
    manifest: pod({ spec: { ...PROXIED, initContainers: [], containers: [{ name: 'app' }, SIDECAR] } }),
    expected: { hasProxy: false }
  },
  {
    title: 'a container with a name like that of the proxy is none',
    manifest: pod({ spec: { ...PROXIED, initContainers: [{ ...SIDECAR, name: 'countersign-proxy2' }] } }),
    expected: { hasProxy: false }
  },
  {
    title: 'a mirror pod is marked, and has no proxy whatever it holds',
    manifest: pod({ metadata: { annotations: { 'kubernetes.io/config.mirror': 'x' } }, spec: PROXIED }),
    expected: { mirror: true, hasProxy: false }
  },
  {
    title: 'a mirror pod is marked by an empty annotation, too',
    manifest: pod({ metadata: { annotations: { 'kubernetes.io/config.mirror': '' } } }),
    expected: { mirror: true }
  },
  {
    title: 'a pod in the network of its node is marked',
    manifest: pod({ spec: { hostNetwork: true } }),
    expected: { hostNetwork: true }
  },
  {
    title: 'addresses are read in their canonical form',
    manifest: pod({
      status: { podIP: 'FD00:0:0:0:0:0:0:1', podIPs: [{ ip: 'fd00::0001' }, { ip: '::ffff:10.0.0.1' }] }
    }),
    expected: { addresses: ['fd00::1', '10.0.0.1'] }
  },
  {
    title: 'a time of creation is read',
    manifest: pod({ metadata: { creationTimestamp: '2026-01-01T00:00:00Z' } }),
    expected: { created: Date.UTC(2026, 0, 1) }
  },
  {
    title: 'annotations of others are not kept',
    manifest: pod({ metadata: { annotations: { 'countersign.dev/x': '1', 'example.com/y': '2' } } }),
    expected: { annotations: { 'countersign.dev/x': '1' } }
  },
  {
    title: 'a pod that excludes nothing has no bypass',
    manifest: pod(),
    expected: { bypass: undefined }
  },
  {
    title: 'excluded inbound ports and interfaces are a bypass, in order and each once',
    manifest: pod({
      metadata: {
        annotations: {
          'countersign.dev/exclude-inbound-ports': '9100, 22,22',
          'countersign.dev/exclude-interfaces': 'net1',
          'countersign.dev/exclude-outbound-ports': '1'
        }
      }
    }),
    expected: { bypass: { ports: [22, 9100], interfaces: ['net1'] } }
  },
  {
    title: 'the volume of the proxy says what is excluded, whatever the annotations say by now',
    manifest: pod({
      metadata: { annotations: { 'countersign.dev/exclude-inbound-ports': '22' } },
      spec: {
        volumes: [
          { name: 'data', csi: { driver: 'x', volumeAttributes: { 'countersign.dev/exclude-inbound-ports': '1' } } },
          {
            name: 'countersign',
            csi: { driver: 'csi.countersign.dev', volumeAttributes: { 'countersign.dev/exclude-inbound-ports': '80' } }
          }
        ]
      }
    }),
    expected: { bypass: { ports: [80], interfaces: [] } }
  },
  {
    title: 'a volume of the proxy without attributes excludes nothing',
    manifest: pod({
      metadata: { annotations: { 'countersign.dev/exclude-inbound-ports': '22' } },
      spec: { volumes: [{ name: 'countersign', csi: { driver: 'csi.countersign.dev', volumeAttributes: null } }] }
    }),
    expected: { bypass: undefined }
  },
  {
    title: 'a volume of another driver under the name of the proxy says nothing',
    manifest: pod({
      metadata: { annotations: { 'countersign.dev/exclude-inbound-ports': '22' } },
      spec: { volumes: [{ name: 'countersign', csi: { driver: 'csi.example.org' } }] }
    }),
    expected: { bypass: { ports: [22], interfaces: [] } }
  },
  {
    title: 'ports are TCP unless they say otherwise',
    manifest: pod({ spec: { containers: [{ name: 'a', ports: [port(80, 'http'), port(53, 'dns', 'UDP')] }] } }),
    expected: {
      ports: [
        { name: 'http', number: 80, protocol: 'TCP' },
        { name: 'dns', number: 53, protocol: 'UDP' }
      ]
    }
  },
  {
    title: 'ports of native sidecars count, those of other init containers and of the proxy do not',
    manifest: pod({
      spec: {
        initContainers: [
          { name: 'countersign-proxy', restartPolicy: 'Always', ports: [port(15021)] },
          { name: 'cache', restartPolicy: 'Always', ports: [port(6379)] },
          { name: 'setup', ports: [port(1)] }
        ]
      }
    }),
    expected: { ports: [{ number: 6379, protocol: 'TCP' }] }
  }
]

for (const { title, manifest, expected } of readings)
  test(title, () => {
    const { value, issues } = podFromManifest(manifest)
    assert.deepEqual(issues, [])
    assert.ok(value)
    for (const [field, wanted] of Object.entries(expected)) assert.deepEqual(value[field as keyof Pod], wanted, field)
  })

test('a pod without a UID gets one that follows from its name', () => {
  const uid = podFromManifest(pod()).value?.uid
  assert.equal(uid, uidOfManifest('shop', 'orders-1'))
  assert.match(uid ?? '', /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.notEqual(uid, uidOfManifest('shop', 'orders-2'))
})

test('a time of deletion that is none is refused', () => {
  for (const deletionTimestamp of ['soon', '2026-13-01T00:00:00Z', 7])
    assert.equal(podFromManifest(pod({ metadata: { deletionTimestamp } })).value, undefined)
})

test('a pod is frozen all the way down', () => {
  const { value } = podFromManifest(
    pod({ metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'a', ports: [port(80)] }] } })
  )
  assert.ok(value)
  for (const part of [value, value.labels, value.annotations, value.addresses, value.ports, value.ports[0]])
    assert.ok(Object.isFrozen(part))
})

test('a pod whose injection label means nothing is still a pod', () => {
  const { value, issues } = podFromManifest(pod({ metadata: { labels: { 'countersign.dev/inject': 'yes' } } }))
  assert.equal(value?.name, 'orders-1')
  assert.deepEqual(
    issues.map(({ path }) => path),
    [['metadata', 'labels', 'countersign.dev/inject']]
  )
})

test('a pod that says wrongly what it excludes is still a pod, and excludes nothing', () => {
  const annotations = {
    'countersign.dev/exclude-inbound-ports': '80,15021',
    'countersign.dev/exclude-interfaces': 'lo',
    'countersign.dev/exclude-outbound-cidrs': '10.0.0.0'
  }
  const { value, issues } = podFromManifest(pod({ metadata: { annotations } }))
  assert.equal(value?.bypass, undefined)
  assert.deepEqual(
    issues.map(({ path }) => path.at(-1)),
    [
      'countersign.dev/exclude-inbound-ports',
      'countersign.dev/exclude-outbound-cidrs',
      'countersign.dev/exclude-interfaces'
    ]
  )
  assert.match(issues[0]?.message ?? '', /^expected 1 to 64 entries .* 15021, .*, got "80,15021"$/)
})

for (const serviceAccountName of [undefined, '', null])
  test(`a pod of the Kubernetes API with the account ${serviceAccountName} has no account, and no proxy`, () => {
    const { value, issues } = podFromApi(pod({ spec: { ...PROXIED, serviceAccountName } }))
    assert.deepEqual([value?.serviceAccount, value?.hasProxy, issues], ['', false, []])
  })

test('a pod of the Kubernetes API with an account has it, and a proxy', () => {
  const { value } = podFromApi(pod({ spec: { ...PROXIED, serviceAccountName: 'orders' } }))
  assert.deepEqual([value?.serviceAccount, value?.hasProxy], ['orders', true])
})
