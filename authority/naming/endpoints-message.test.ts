import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { podFromManifest } from '../../shared/inventory/index.ts'
import { inventoryOf, type Manifest, type PodOptions, pod, policy, service, settings } from './mesh.test-support.ts'
import { meshState } from './mesh-state.ts'

const INBOUND = 'countersign.dev/exclude-inbound-ports'
const INTERFACES = 'countersign.dev/exclude-interfaces'
const PORTS = [
  { name: 'http', port: 80, targetPort: 8080 },
  { name: 'metrics', port: 81, targetPort: 9100 }
]

/** `8080 mutual 9100 plain`: how clients are told to reach the pods of shop/orders, by the pods' ports. */
function told(...manifests: readonly Manifest[]): string {
  const { endpoints } = meshState(inventoryOf([service({ ports: PORTS }), ...manifests]), settings)
  return (endpoints.get('shop/orders')?.ports ?? [])
    .flatMap(port => port.endpoints.map(({ port, mutualTls }) => `${port} ${mutualTls ? 'mutual' : 'plain'}`))
    .join(' ')
}

const ways: Readonly<Record<string, readonly [pod: PodOptions, expected: string]>> = {
  'mutual TLS on every port where nothing is excluded': [{}, '8080 mutual 9100 mutual'],
  'plain text on an inbound port that its pod excludes, and on no other': [
    { annotations: { [INBOUND]: '9100' } },
    '8080 mutual 9100 plain'
  ],
  'plain text on each port of a list': [{ annotations: { [INBOUND]: '9100, 8080' } }, '8080 plain 9100 plain'],
  'mutual TLS where the number of the port of the Service is excluded, which is not that of the pod': [
    { annotations: { [INBOUND]: '80,81' } },
    '8080 mutual 9100 mutual'
  ],
  'mutual TLS where only outgoing connections are excluded': [
    {
      annotations: {
        'countersign.dev/exclude-outbound-ports': '8080',
        'countersign.dev/exclude-outbound-cidrs': '0.0.0.0/0',
        'countersign.dev/exclude-outbound-users': '1000'
      }
    },
    '8080 mutual 9100 mutual'
  ],
  'mutual TLS where a second interface is excluded': [
    { annotations: { [INTERFACES]: 'net1' } },
    '8080 mutual 9100 mutual'
  ],
  'plain text where the interface of the pod itself is excluded': [
    { annotations: { [INTERFACES]: 'net1,eth0' } },
    '8080 plain 9100 plain'
  ],
  'what the volume of the pod says, by which its traffic is captured': [
    { attributes: { [INBOUND]: '9100' } },
    '8080 mutual 9100 plain'
  ],
  'mutual TLS on a port that an annotation excludes since the pod runs': [
    { annotations: { [INBOUND]: '9100' }, attributes: {} },
    '8080 mutual 9100 mutual'
  ],
  'plain text on a port of which the annotation was taken away since the pod runs': [
    { annotations: {}, attributes: { [INBOUND]: '9100' } },
    '8080 mutual 9100 plain'
  ],
  'mutual TLS where the volume says what is not allowed': [
    { attributes: { [INBOUND]: '9100,x' } },
    '8080 mutual 9100 mutual'
  ],
  'plain text where there is no proxy, whatever is excluded': [
    { proxy: false, annotations: { [INBOUND]: '9100' } },
    '8080 plain 9100 plain'
  ]
}

describe('a client is told', () => {
  for (const [title, [options, expected]] of Object.entries(ways))
    it(title, () => assert.equal(told(pod(options)), expected))

  it('plain text on an excluded port although a policy is strict: the proxy never sees the connection', () => {
    const strict = policy({ namespace: 'shop', mode: 'STRICT' })
    assert.equal(told(pod({ annotations: { [INBOUND]: '9100' } }), strict), '8080 mutual 9100 plain')
  })

  it('of each pod behind a Service what that pod excludes', () => {
    const other = { name: 'orders-2', address: '10.0.0.2', annotations: { [INBOUND]: '8080' } }
    assert.equal(told(pod(), pod(other)), '8080 mutual 8080 plain 9100 mutual 9100 mutual')
  })

  for (const value of ['', '9100;8080', '9100,', '0', '65536', 'http', '9100,15006'])
    it(`mutual TLS although an annotation says ${JSON.stringify(value)}, which is not allowed`, () => {
      const manifest = pod({ annotations: { [INBOUND]: value } })
      const wrong = podFromManifest(manifest)
      assert.equal(wrong.issues.length, 1)
      const { pods, ...rest } = inventoryOf([service({ ports: PORTS }), pod()])
      assert.ok(wrong.value)
      const { endpoints } = meshState({ ...rest, pods: [wrong.value] }, settings)
      const mutual = endpoints.get('shop/orders')?.ports.map(port => port.endpoints.map(({ mutualTls }) => mutualTls))
      assert.deepEqual(mutual, [[true], [true]])
      assert.equal(pods.length, 1)
    })

  it('anew when a pod that was made again under the same name excludes other ports', () => {
    const before = inventoryOf([service({ ports: PORTS }), pod()])
    const after = inventoryOf([service({ ports: PORTS }), pod({ annotations: { [INBOUND]: '9100' } })], before)
    const first = meshState(before, settings)
    const second = meshState(after, settings, first)
    const isMutual = [first, second].map(
      ({ endpoints }) => endpoints.get('shop/orders')?.ports[1]?.endpoints[0]?.mutualTls
    )
    assert.deepEqual(isMutual, [true, false])
  })
})
