import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fromBinary } from '@bufbuild/protobuf'
import { type Known, meshState, podDirectory, snapshots } from '../../../authority/naming/index.ts'
import {
  endUserAuthentication,
  type Manifest,
  pod,
  policy,
  service
} from '../../../authority/naming/mesh.test-support.ts'
import {
  assembleInventory,
  EMPTY_INVENTORY,
  endpointSliceFromManifest,
  endpointsFromSelectors,
  endpointsFromSlices,
  type Inventory,
  indexPods,
  podFromApi,
  resolveClaims,
  serviceFromManifest
} from '../../../shared/inventory/index.ts'
import { Sensitive } from '../../../shared/log/index.ts'
import { parseEndUserAuthentication, parsePeerAuthentication } from '../../../shared/policy/index.ts'
import { LoginSecretSchema } from '../../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { typeUrlOf } from '../../../shared/xds/index.ts'
import { attackSettings } from '../bystander.ts'

const EVIL = 'node-evil'
const MIRROR = 'kubernetes.io/config.mirror'

const web = pod({ name: 'web-1', account: 'web', labels: { app: 'web' }, node: 'node-1', address: '10.0.0.1' })
const agent = pod({
  name: 'agent',
  namespace: 'countersign-system',
  account: 'countersign-agent',
  proxy: false,
  node: 'node-1',
  address: '10.0.0.3'
})
const login = endUserAuthentication({
  name: 'web',
  selector: { app: 'web' },
  spec: {
    jwksUri: 'https://b.test/k',
    login: {
      clientId: 'c',
      clientSecret: { name: 's' },
      authorizationEndpoint: 'https://b.test/a',
      tokenEndpoint: 'https://b.test/t'
    }
  }
})
const known: Known = {
  keys: new Map(),
  loginSecrets: new Map([
    [
      'shop/web',
      {
        secret: new Sensitive({ clientSecret: Buffer.from('hunter2'), hmacKey: Buffer.alloc(32, 7) }),
        condition: { status: 'ready', message: '' }
      }
    ]
  ])
}

const PROXY = { name: 'countersign-proxy', restartPolicy: 'Always', volumeMounts: [{ name: 'countersign' }] }
const VOLUME = { name: 'countersign', csi: { driver: 'csi.countersign.dev', volumeAttributes: {} } }
/** What the static pod says of itself; the API server refuses some of it for a kubelet, and need not be relied upon. */
const SPECS: Readonly<Record<string, object>> = {
  'with nothing': {},
  'with a container of the proxy': { initContainers: [PROXY] },
  'with container and volume': { initContainers: [PROXY], volumes: [VOLUME] },
  'with container, volume and account': { initContainers: [PROXY], volumes: [VOLUME], serviceAccountName: 'web' },
  'with an empty account': { initContainers: [PROXY], volumes: [VOLUME], serviceAccountName: '' },
  'with the account of the agent': { serviceAccountName: 'countersign-agent' },
  'in the network of the node': { hostNetwork: true, initContainers: [PROXY], volumes: [VOLUME] }
}
const ANNOTATIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'a hash': { [MIRROR]: '4f2a', 'kubernetes.io/config.source': 'file' },
  'an empty hash': { [MIRROR]: '' },
  'annotations of Countersign': { [MIRROR]: 'x', 'countersign.dev/exclude-inbound-ports': '8080' }
}
const NAMESPACES = ['shop', 'countersign-system'] as const

interface Mirror {
  readonly namespace: string
  readonly spec: object
  readonly annotations: Readonly<Record<string, string>>
}

const mirror = ({ namespace, spec, annotations }: Mirror): Manifest => ({
  kind: 'Pod',
  metadata: {
    ...{ name: `static-${EVIL}`, namespace, uid: 'uid-mirror', labels: { app: 'web' }, annotations },
    ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: EVIL, uid: 'n' }]
  },
  spec: { nodeName: EVIL, containers: [{ name: 'app', ports: [{ name: 'http', containerPort: 8080 }] }], ...spec },
  status: {
    phase: 'Running',
    podIP: '10.9.9.9',
    podIPs: [{ ip: '10.9.9.9' }],
    conditions: [{ type: 'Ready', status: 'True' }]
  }
})

/** As the controllers of Kubernetes make it: they take a mirror pod for a pod. */
const sliceWithMirror = (namespace: string): Manifest => ({
  kind: 'EndpointSlice',
  metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  endpoints: [
    { addresses: ['10.0.0.1'], targetRef: { kind: 'Pod', namespace: 'shop', name: 'web-1', uid: 'uid-web-1' } },
    ...(namespace === 'shop'
      ? [{ addresses: ['10.9.9.9'], targetRef: { kind: 'Pod', namespace, name: `static-${EVIL}`, uid: 'uid-mirror' } }]
      : [])
  ],
  ports: [{ name: 'http', port: 8080 }]
})

const SERVICES: Readonly<Record<string, object>> = {
  'a Service': {},
  'a headless Service': { clusterIP: 'None' },
  'a Service that publishes what is not ready': { publishNotReadyAddresses: true },
  'a pinned Service': { pin: 'web' }
}

/** The inventory that the Kubernetes API gives. */
function inventoryOf(manifests: readonly Manifest[], fromSelectors: boolean): Inventory {
  const of = (kind: string) => manifests.filter(manifest => manifest.kind === kind)
  const good = <T>({ value, issues }: { readonly value: T | undefined; readonly issues: readonly unknown[] }): T => {
    assert.deepEqual(issues, [])
    assert.ok(value !== undefined)
    return value
  }
  const services = of('Service').map(manifest => good(serviceFromManifest(manifest)))
  const reported = of('Pod').map(manifest => good(podFromApi(manifest)))
  const { pods, mirrors } = resolveClaims(reported, { services, networks: () => undefined, previous: [] })
  const index = indexPods(pods, mirrors)
  const slices = of('EndpointSlice').map(manifest => good(endpointSliceFromManifest(manifest)))
  return assembleInventory(EMPTY_INVENTORY, {
    ...EMPTY_INVENTORY,
    pods,
    services,
    endpoints: fromSelectors ? endpointsFromSelectors(services, index) : endpointsFromSlices(services, slices, index),
    peerAuthentications: of('PeerAuthentication').map(parsePeerAuthentication),
    endUserAuthentications: of('EndUserAuthentication').map(parseEndUserAuthentication)
  })
}

/** Everything that is sent to nodes, and what issuance knows of pods. */
function view(inventory: Inventory) {
  const state = meshState(inventory, attackSettings, undefined, known)
  const sent = snapshots(state, known)
  const secretsAt = (node: string): readonly string[] =>
    [...(sent.forNode(node).types.get(typeUrlOf(LoginSecretSchema))?.values() ?? [])].map(({ value }) =>
      Buffer.from(fromBinary(LoginSecretSchema, value).clientSecret).toString()
    )
  const directory = podDirectory(inventory)
  const accounts = ['web', 'default', 'countersign-agent', ''].flatMap(serviceAccount =>
    NAMESPACES.flatMap(namespace => directory.podsOf({ namespace, serviceAccount }, EVIL))
  )
  const { services, endpoints, workloadsByNode } = state
  return {
    told: {
      services,
      endpoints,
      workloadsByNode,
      problems: state.problems.filter(({ kind }) => kind !== 'endpoint-mirror-pod')
    },
    reported: state.problems.filter(({ kind }) => kind === 'endpoint-mirror-pod').map(({ object }) => object),
    secrets: { 'node-1': secretsAt('node-1'), [EVIL]: secretsAt(EVIL) },
    issuance: [directory.pod('uid-mirror'), directory.podsOnNode(EVIL), accounts]
  }
}

describe('whoever has the credentials of a kubelet', () => {
  it('cannot join a Service, draw a secret, be issued anything or pass for an agent by a mirror pod', t => {
    let count = 0
    for (const namespace of NAMESPACES)
      for (const [specTitle, spec] of Object.entries(SPECS))
        for (const [annotationTitle, annotations] of Object.entries(ANNOTATIONS))
          for (const [serviceTitle, serviceSpec] of Object.entries(SERVICES))
            for (const fromSelectors of [true, false]) {
              const honest = [
                web,
                agent,
                service({ name: 'web', selector: { app: 'web' }, ...serviceSpec }),
                login,
                policy({ namespace: 'shop', mode: 'STRICT' })
              ]
              const title = `${specTitle}, ${annotationTitle}, ${serviceTitle}, ${namespace}, selectors ${fromSelectors}`
              const before = view(inventoryOf([...honest, sliceWithMirror('')], fromSelectors))
              const evil = [mirror({ namespace, spec, annotations }), sliceWithMirror(namespace)]
              const after = view(inventoryOf([...honest, ...evil], fromSelectors))
              assert.deepEqual(after.told, before.told, title)
              assert.deepEqual(after.secrets, { 'node-1': ['hunter2'], [EVIL]: [] }, title)
              assert.deepEqual(after.issuance, [undefined, [], []], title)
              const isReported = namespace === 'shop' && !fromSelectors
              assert.deepEqual(after.reported, isReported ? ['Service shop/web'] : [], title)
              count++
            }
    t.diagnostic(`${count} variants refused`)
  })

  it('cannot give a pod without an account an identity', t => {
    let count = 0
    for (const serviceAccountName of [undefined, null, ''])
      for (const withProxy of [true, false]) {
        const { metadata, status } = web as unknown as { metadata: object; status: object }
        const bare: Manifest = {
          kind: 'Pod',
          metadata: { ...metadata, name: 'bare', uid: 'uid-bare' },
          spec: {
            nodeName: EVIL,
            serviceAccountName,
            containers: [{ name: 'app' }],
            ...(withProxy ? { initContainers: [PROXY], volumes: [VOLUME] } : {})
          },
          status: { ...status, podIP: '10.9.9.9' }
        }
        const inventory = inventoryOf([web, service({ name: 'web', selector: { app: 'web' } }), login, bare], true)
        const { services, workloadsByNode } = meshState(inventory, attackSettings, undefined, known)
        assert.deepEqual(services.get('shop/web')?.identities, ['spiffe://mesh.test/ns/shop/sa/web'])
        assert.equal(workloadsByNode.get(EVIL), undefined)
        assert.equal(podDirectory(inventory).pod('uid-bare'), undefined)
        count++
      }
    t.diagnostic(`${count} variants refused`)
  })
})
