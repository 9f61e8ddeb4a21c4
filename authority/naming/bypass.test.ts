import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inventoryOf, type Manifest, pod, policy, settings } from './mesh.test-support.ts'
import { meshState } from './mesh-state.ts'

const INBOUND = 'countersign.dev/exclude-inbound-ports'
const INTERFACES = 'countersign.dev/exclude-interfaces'

const excluding = (annotations: Readonly<Record<string, string>>, more: object = {}) => pod({ annotations, ...more })
const problemsOf = (...manifests: readonly Manifest[]): readonly string[] =>
  meshState(inventoryOf(manifests), settings).problems.map(({ object, message }) => `${object}: ${message}`)

const strict = policy({ namespace: 'shop', mode: 'STRICT' })
const portsOfOrders = (ports: Readonly<Record<number, string>>, mode = 'STRICT') =>
  policy({ namespace: 'shop', name: 'orders', selector: { app: 'orders' }, mode, ports })

const plaintext = (excluded: string, where = 'there', account = 'orders') =>
  `ServiceAccount shop/${account}: runs pods that exclude ${excluded} from capture: they take plaintext ${where}, ` +
  'although it is STRICT'

const told: Readonly<Record<string, readonly [manifests: readonly Manifest[], expected: readonly string[]]>> = {
  'of each port that is excluded although it is strict': [
    [excluding({ [INBOUND]: '9100,8080' }), strict],
    [plaintext('port 8080'), plaintext('port 9100')]
  ],
  'of a port that alone is strict': [
    [excluding({ [INBOUND]: '9100,8080' }), portsOfOrders({ 9100: 'STRICT' }, 'PERMISSIVE')],
    [plaintext('port 9100')]
  ],
  'once, however many replicas there are': [
    [excluding({ [INBOUND]: '9100' }), excluding({ [INBOUND]: '9100' }, { name: 'b', address: '10.0.0.2' }), strict],
    [plaintext('port 9100')]
  ],
  'of each account': [
    [
      excluding({ [INBOUND]: '9100' }),
      excluding({ [INBOUND]: '9100' }, { name: 'b', account: 'guest', address: '10.0.0.2' }),
      strict
    ],
    [plaintext('port 9100', 'there', 'guest'), plaintext('port 9100')]
  ],
  'of the interface of the pod itself': [
    [excluding({ [INTERFACES]: 'net1,eth0' }), strict],
    [plaintext('interface eth0', 'on every port')]
  ],
  'what the volume of the pod says, and not what its annotations say now': [
    [excluding({ [INBOUND]: '9100' }, { attributes: { [INBOUND]: '8080' } }), strict],
    [plaintext('port 8080')]
  ],
  'nothing while the policy is permissive': [[excluding({ [INBOUND]: '9100' })], []],
  'nothing where a policy allows plaintext on the port': [
    [excluding({ [INBOUND]: '9100' }), portsOfOrders({ 9100: 'DISABLE' })],
    []
  ],
  'nothing of another interface': [[excluding({ [INTERFACES]: 'net1' }), strict], []],
  'nothing of outgoing connections': [[excluding({ 'countersign.dev/exclude-outbound-ports': '5432' }), strict], []],
  'nothing of a pod without a proxy, of which no policy holds': [
    [excluding({ [INBOUND]: '9100' }, { proxy: false }), strict],
    []
  ],
  'nothing of a pod that has ended': [[excluding({ [INBOUND]: '9100' }, { phase: 'Failed' }), strict], []]
}

describe('who runs the mesh is told', () => {
  for (const [title, [manifests, expected]] of Object.entries(told))
    it(title, () => assert.deepEqual(problemsOf(...manifests), expected))

  it('when a policy becomes strict, and no longer when it is not', () => {
    const open = inventoryOf([excluding({ [INBOUND]: '9100' })])
    const closed = inventoryOf([excluding({ [INBOUND]: '9100' }), strict], open)
    const first = meshState(open, settings)
    const second = meshState(closed, settings, first)
    const third = meshState(open, settings, second)
    assert.deepEqual(
      [first, second, third].map(({ problems }) => problems.map(({ kind }) => kind)),
      [[], ['strict-bypassed'], []]
    )
  })
})
