import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Floor, parseFloor } from '../../shared/floor/index.ts'
import type { UnreadablePolicy } from '../../shared/policy/index.ts'
import {
  endUserAuthentication,
  inventoryOf,
  type Manifest,
  type PodOptions,
  pod,
  policy,
  requestAuthentication,
  settings
} from './mesh.test-support.ts'
import { meshState } from './mesh-state.ts'

const INBOUND = 'countersign.dev/exclude-inbound-ports'
const INTERFACES = 'countersign.dev/exclude-interfaces'
const ADDRESS = 'countersign.dev/application-address'
const DRIVER = 'csi.countersign.dev'

/** The annotations of a pod, as the webhook copies them into its volume. */
const excluding = (annotations: Readonly<Record<string, string>>, more: PodOptions = {}): Manifest =>
  pod({ annotations, attributes: annotations, ...more })

/** A pod with further volumes of the driver, before or after that of its proxy. */
function carrying(names: readonly string[], more: PodOptions = {}): Manifest {
  const manifest = pod({ attributes: {}, ...more }) as Manifest & { spec: { volumes: object[] } }
  const further = names.map(name => ({ name, csi: { driver: DRIVER, volumeAttributes: { [INBOUND]: '8080' } } }))
  return { ...manifest, spec: { ...manifest.spec, volumes: [...further, ...(manifest.spec.volumes ?? [])] } }
}

const KUBERNETES = {
  ...settings,
  enrolment: { excludedNamespaces: new Set(['kube-system']), unenrolledPods: 'allowed' }
} as const
const problemsOf = (manifests: readonly Manifest[], rules = {}): readonly string[] =>
  meshState(inventoryOf(manifests), { ...settings, ...rules }).problems.map(
    ({ object, message }) => `${object}: ${message}`
  )

const strict = policy({ namespace: 'shop', mode: 'STRICT' })
const portsOfOrders = (ports: Readonly<Record<number, string>>, mode = 'STRICT') =>
  policy({ namespace: 'shop', name: 'orders', selector: { app: 'orders' }, mode, ports })
// Nothing else is said of it: no port is declared.
const required = endUserAuthentication()
const accepted = requestAuthentication()

const AGAIN = 'and create them again'
const UNLABEL = `remove the annotation ${INBOUND} ${AGAIN}`
const LABEL = `label their namespace or their template countersign.dev/inject=enabled (pods with hostNetwork cannot have a proxy) ${AGAIN}`

/** What the author of each policy is told, and what the operator is told of the account. */
const both = (what: string, next: string, policies: readonly string[], account = 'shop/orders'): readonly string[] => [
  ...policies.map(name => `${name}: does not hold for pods of service account ${account}, which ${what}; ${next}`),
  `ServiceAccount ${account}: does not enforce ${policies.join(', ')}: its pods ${what}; ${next}`
]
const excluded = (ports: string, policies = ['PeerAuthentication shop/default'], account = 'shop/orders') =>
  both(`exclude ${ports} from their proxy`, UNLABEL, policies, account)

const told: Readonly<Record<string, readonly [manifests: readonly Manifest[], expected: readonly string[]]>> = {
  'of ports that are excluded although they are STRICT': [
    [excluding({ [INBOUND]: '9100,8080' }), strict],
    excluded('ports 8080, 9100')
  ],
  'of the STRICT port alone': [
    [excluding({ [INBOUND]: '9100,8080' }), portsOfOrders({ 9100: 'STRICT' }, 'PERMISSIVE')],
    excluded('port 9100', ['PeerAuthentication shop/orders'])
  ],
  'of the policy by which each port is STRICT': [
    [excluding({ [INBOUND]: '9100,8080' }), strict, portsOfOrders({ 9100: 'DISABLE' }, 'UNSET')],
    excluded('port 8080')
  ],
  'of the policy of the whole mesh': [
    [excluding({ [INBOUND]: '8080' }), policy({ namespace: 'countersign-system', mode: 'STRICT' })],
    excluded('port 8080', ['PeerAuthentication countersign-system/default'])
  ],
  'of policies on end users, whatever the mode': [
    [excluding({ [INBOUND]: '8080' }), required, accepted],
    excluded('port 8080', ['EndUserAuthentication shop/web', 'RequestAuthentication shop/web'])
  ],
  'of every policy together': [
    [excluding({ [INBOUND]: '8080' }), strict, required],
    excluded('port 8080', ['EndUserAuthentication shop/web', 'PeerAuthentication shop/default'])
  ],
  'once, however many replicas there are': [
    [excluding({ [INBOUND]: '9100' }), excluding({ [INBOUND]: '9100' }, { name: 'b', address: '10.0.0.2' }), strict],
    excluded('port 9100')
  ],
  'of each account': [
    [
      excluding({ [INBOUND]: '9100' }),
      excluding({ [INBOUND]: '9100' }, { name: 'b', account: 'guest', address: '10.0.0.2' }),
      strict
    ],
    [excluded('port 9100', undefined, 'shop/guest'), excluded('port 9100')].flat().sort()
  ],
  'of the interface of the pod itself': [
    [excluding({ [INTERFACES]: 'net1,eth0', [INBOUND]: '9100' }), strict],
    both('exclude interface eth0 from their proxy', `remove the annotation ${INTERFACES} ${AGAIN}`, [
      'PeerAuthentication shop/default'
    ])
  ],
  'what the volume of the pod says, and not what its annotations say now': [
    [excluding({ [INBOUND]: '9100' }, { attributes: { [INBOUND]: '8080' } }), strict],
    excluded('port 8080')
  ],
  'of pods without a proxy, by every policy': [
    [pod({ proxy: false }), strict, required, accepted],
    both('run without a proxy', LABEL, [
      'EndUserAuthentication shop/web',
      'PeerAuthentication shop/default',
      'RequestAuthentication shop/web'
    ])
  ],
  'of pods without a proxy where one port is STRICT': [
    [pod({ proxy: false }), portsOfOrders({ 9100: 'STRICT' }, 'PERMISSIVE')],
    both('run without a proxy', LABEL, ['PeerAuthentication shop/orders'])
  ],
  'of pods that are not scheduled yet': [
    [pod({ proxy: false, node: undefined, phase: 'Pending' }), strict],
    both('run without a proxy', LABEL, ['PeerAuthentication shop/default'])
  ],
  'of further volumes of the driver': [
    [carrying(['aaa', 'zzz']), strict, required],
    both(`carry further volumes of driver ${DRIVER} (aaa, zzz)`, `remove these volumes ${AGAIN}`, [
      'EndUserAuthentication shop/web',
      'PeerAuthentication shop/default'
    ])
  ],
  'nothing while the policy is permissive': [
    [excluding({ [INBOUND]: '9100' }), pod({ name: 'b', proxy: false, address: '10.0.0.2' })],
    []
  ],
  'nothing where a policy allows plaintext on the port': [
    [excluding({ [INBOUND]: '9100' }), portsOfOrders({ 9100: 'DISABLE' })],
    []
  ],
  'nothing of a policy that checks nothing anywhere, but that it does so': [
    [pod({ proxy: false }), requestAuthentication({ spec: { jwtRules: [] } })],
    [
      'RequestAuthentication shop/web: does nothing: spec.jwtRules is absent or empty, so no token is checked; add a rule or delete the policy'
    ]
  ],
  'nothing of another interface': [[excluding({ [INTERFACES]: 'net1' }), strict, required], []],
  'nothing of outgoing connections': [[excluding({ 'countersign.dev/exclude-outbound-ports': '5432' }), strict], []],
  'nothing of a pod that no policy selects': [
    [
      pod({ proxy: false, labels: { app: 'other' } }),
      portsOfOrders({ 9100: 'STRICT' }),
      endUserAuthentication({ selector: { app: 'orders' } })
    ],
    []
  ],
  'nothing of other namespaces': [[pod({ proxy: false, namespace: 'bank' }), strict, required, accepted], []],
  'nothing of a pod that has ended': [
    [
      excluding({ [INBOUND]: '9100' }, { phase: 'Failed' }),
      pod({ name: 'b', proxy: false, phase: 'Succeeded' }),
      strict
    ],
    []
  ]
}

describe('who writes a policy, and who runs the mesh, are told', () => {
  for (const [title, [manifests, expected]] of Object.entries(told))
    it(title, () => assert.deepEqual(problemsOf(manifests), expected))

  describe('of a policy that cannot be understood', () => {
    const KINDS = ['EndUserAuthentication', 'PeerAuthentication', 'RequestAuthentication'] as const
    const unreadable = (changes: Partial<UnreadablePolicy> = {}): readonly UnreadablePolicy[] =>
      KINDS.map(kind => ({ kind, namespace: 'shop', name: 'p', issues: ['x'], ...changes }))
    const gapsOf = (manifests: readonly Manifest[], policies: readonly UnreadablePolicy[]): readonly string[] =>
      meshState({ ...inventoryOf(manifests), unreadablePolicies: policies }, KUBERNETES)
        .problems.filter(({ kind }) => kind === 'not-enforced')
        .map(({ object, message }) => `${object}: ${message}`)
    const all = KINDS.map(kind => `${kind} shop/p`)

    it('that pods without a proxy are not closed', () =>
      assert.deepEqual(gapsOf([pod({ proxy: false })], unreadable()), both('run without a proxy', LABEL, all)))

    it('that excluded ports are not, whatever others exempt or allow', () => {
      const open = [portsOfOrders({ 8080: 'DISABLE' }), endUserAuthentication({ spec: { exemptPorts: [8080] } })]
      const excluding8080 = excluding({ [INBOUND]: '8080' })
      assert.deepEqual(gapsOf([excluding8080, ...open], unreadable()), excluded('port 8080', all))
    })

    it('and of the STRICT ones beside it', () => {
      const peer = unreadable().filter(({ kind }) => kind === 'PeerAuthentication')
      const names = ['PeerAuthentication shop/default', 'PeerAuthentication shop/p']
      assert.deepEqual(gapsOf([pod({ proxy: false }), strict], peer), both('run without a proxy', LABEL, names))
      const permissive = policy({ namespace: 'shop', mode: 'PERMISSIVE' })
      assert.deepEqual(
        gapsOf([pod({ proxy: false }), permissive], peer),
        both('run without a proxy', LABEL, ['PeerAuthentication shop/p'])
      )
    })

    it('nothing of pods that it does not select, nor of those that it closes', () => {
      assert.deepEqual(gapsOf([pod({ proxy: false })], unreadable({ selector: { app: 'web' } })), [])
      assert.deepEqual(gapsOf([pod({ proxy: false })], unreadable({ namespace: 'bank' })), [])
      assert.deepEqual(gapsOf([pod()], unreadable()), [])
    })
  })

  it('nothing of excluded namespaces, in which no policy is expected to hold', () => {
    const mesh = policy({ namespace: 'countersign-system', mode: 'STRICT' })
    assert.deepEqual(problemsOf([pod({ namespace: 'kube-system', proxy: false }), mesh], KUBERNETES), [])
  })

  it('in Kubernetes, of pods that are not captured; outside, this is how proxies work', () => {
    const manifests = [excluding({ [ADDRESS]: '127.0.0.1' }), strict]
    assert.deepEqual(
      problemsOf(manifests, KUBERNETES),
      both('have traffic that is not captured', `remove the annotation ${ADDRESS} ${AGAIN}`, [
        'PeerAuthentication shop/default'
      ])
    )
    assert.deepEqual(problemsOf(manifests), [])
  })

  it('of the floor, of the account alone', () => {
    const parsed = parseFloor('namespaces: { shop: { mutualTls: true, injection: true } }')
    const floor: Floor = parsed.ok ? parsed.floor : assert.fail('not valid')
    assert.deepEqual(problemsOf([pod({ proxy: false })], { ...KUBERNETES, floor }), [
      `ServiceAccount shop/orders: does not enforce the operator’s floor: its pods run without a proxy; ${LABEL}`
    ])
  })

  it('in a bounded number, and how many there are beside', () => {
    const pods = Array.from({ length: 150 }, (_, at) =>
      pod({ name: `p${at}`, account: `a${String(at).padStart(3, '0')}`, proxy: false, address: `10.0.1.${at + 1}` })
    )
    const { problems } = meshState(inventoryOf([...pods, strict]), settings)
    const ofPolicy = problems.filter(({ object }) => object === 'PeerAuthentication shop/default')
    assert.equal(ofPolicy.length, 21)
    assert.ok(ofPolicy.some(({ message }) => message === 'does not hold for 130 more kinds of pods'))
    assert.equal(problems.filter(({ object }) => object.startsWith('ServiceAccount ')).length, 100)
    assert.deepEqual(
      problems.filter(({ object }) => object === 'Mesh').map(({ message }) => message),
      ['50 more service accounts have pods for which a policy does not hold']
    )
  })

  it('when a policy becomes strict, and no longer when it is not', () => {
    const open = inventoryOf([excluding({ [INBOUND]: '9100' })])
    const closed = inventoryOf([excluding({ [INBOUND]: '9100' }), strict], open)
    const first = meshState(open, settings)
    const second = meshState(closed, settings, first)
    const third = meshState(open, settings, second)
    assert.deepEqual(
      [first, second, third].map(({ problems }) => problems.map(({ kind }) => kind)),
      [[], ['not-enforced', 'not-enforced'], []]
    )
  })
})
