import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Floor, parseFloor } from '../../shared/floor/index.ts'
import type { Inventory, Labels } from '../../shared/inventory/index.ts'
import { type Enrolment, isEnrolled } from './enrolment.ts'
import { inventoryOf, type Manifest, type PodOptions, pod, settings } from './mesh.test-support.ts'
import { meshState } from './mesh-state.ts'
import { type PodDirectory, podDirectory } from './pod-directory.ts'

const INJECT = 'countersign.dev/inject'
const DENIED: Enrolment = { excludedNamespaces: new Set(['kube-system']), unenrolledPods: 'denied' }
const ALLOWED: Enrolment = { ...DENIED, unenrolledPods: 'allowed' }

function floorFrom(text: string): Floor {
  const parsed = parseFloor(text)
  return parsed.ok ? parsed.floor : assert.fail(parsed.problems.join())
}

const label = (value: string | undefined): Labels => (value === undefined ? {} : { [INJECT]: value })

describe('a pod', () => {
  const cases: readonly (readonly [namespace: string | undefined, own: string | undefined, enrolled: boolean])[] = [
    ['enabled', undefined, true],
    ['enabled', 'enabled', true],
    ['enabled', 'disabled', false],
    [undefined, 'enabled', true],
    ['disabled', 'enabled', true],
    [undefined, undefined, false],
    ['disabled', undefined, false],
    ['Enabled', undefined, false],
    ['true', undefined, false],
    ['', undefined, false],
    [undefined, 'Enabled', false],
    [undefined, 'true', false],
    [undefined, '', false],
    ['enabled', 'Disabled', true]
  ]
  for (const [namespace, own, enrolled] of cases)
    it(`is ${enrolled ? '' : 'not '}enrolled where its namespace has the label ${namespace} and it has ${own}`, () => {
      const ask = (enrolment: Enrolment | undefined, name = 'shop', floor?: Floor): boolean =>
        isEnrolled({ namespace: name, labels: label(own) }, { name, labels: label(namespace) }, enrolment, floor)
      assert.equal(ask(DENIED), enrolled)
      assert.equal(ask(ALLOWED), true)
      assert.equal(ask(undefined), true)
      assert.equal(ask(DENIED, 'shop', floorFrom('namespaces: { shop: { injection: true } }')), true)
      for (const never of [DENIED, ALLOWED])
        assert.equal(ask(never, 'kube-system', floorFrom('mesh: { injection: true }')), false)
    })

  it('is not enrolled by a namespace that is not known', () => {
    assert.equal(isEnrolled({ namespace: 'shop', labels: {} }, undefined, DENIED), false)
    assert.equal(isEnrolled({ namespace: 'shop', labels: label('enabled') }, undefined, DENIED), true)
  })
})

describe('the directory of pods', () => {
  const world = (namespace: Labels, manifests: readonly Manifest[]): Pick<Inventory, 'pods' | 'namespaces'> => ({
    pods: inventoryOf(manifests).pods,
    namespaces: [{ name: 'shop', labels: namespace }]
  })
  const one = (options: PodOptions = {}) => [pod(options)]
  const withheld = (directory: PodDirectory) => directory.pod('uid-orders-1')?.withheld
  const NOT_ENROLLED = { reason: 'pod_not_enrolled', fromRenewal: false }

  it('withholds the first certificate of a pod that is not enrolled, and renewal where it has no proxy', () => {
    assert.deepEqual(withheld(podDirectory(world({}, one()), { enrolment: DENIED })), NOT_ENROLLED)
    assert.deepEqual(withheld(podDirectory(world({}, one({ proxy: false })), { enrolment: DENIED })), {
      reason: 'pod_not_enrolled',
      fromRenewal: true
    })
  })

  it('withholds nothing from a pod that was enrolled when it was first seen, while it is there', () => {
    const first = podDirectory(world(label('enabled'), one()), { enrolment: DENIED })
    const second = podDirectory(world({}, one()), { enrolment: DENIED }, first)
    const third = podDirectory(
      world(label('disabled'), one({ labels: label('disabled') })),
      { enrolment: DENIED },
      second
    )
    assert.deepEqual([first, second, third].map(withheld), [undefined, undefined, undefined])
    const gone = podDirectory(world({}, []), { enrolment: DENIED }, third)
    assert.deepEqual(withheld(podDirectory(world({}, one()), { enrolment: DENIED }, gone)), NOT_ENROLLED)
  })

  it('withholds it no longer once the pod is enrolled', () => {
    const first = podDirectory(world({}, one()), { enrolment: DENIED })
    assert.equal(withheld(podDirectory(world(label('enabled'), one()), { enrolment: DENIED }, first)), undefined)
  })

  it('withholds nothing outside Kubernetes, or where the operator allows it', () => {
    for (const rules of [{}, { enrolment: ALLOWED }])
      assert.equal(withheld(podDirectory(world({}, one()), rules)), undefined)
  })

  const OPEN: Readonly<Record<string, string>> = {
    'countersign.dev/exclude-inbound-ports': '8080',
    'countersign.dev/exclude-interfaces': 'net1',
    'countersign.dev/application-address': '127.0.0.1'
  }
  for (const rule of ['mutualTls', 'endUserChecks'])
    for (const [name, text] of Object.entries(OPEN))
      it(`withholds every certificate of a pod whose volume says ${name} under a floor of ${rule}`, () => {
        const floor = floorFrom(`namespaces: { shop: { ${rule}: true } }`)
        const attributes = { [name]: text }
        for (const manifests of [
          one({ attributes }),
          one({ attributes, annotations: { 'countersign.dev/rewrite-probes': 'enabled' } })
        ]) {
          const inputs = world(label('enabled'), manifests)
          const first = podDirectory(inputs, { enrolment: DENIED })
          const expected = { reason: 'pod_below_floor', fromRenewal: true }
          assert.equal(withheld(first), undefined)
          assert.deepEqual(withheld(podDirectory(inputs, { enrolment: DENIED, floor }, first)), expected)
          assert.deepEqual(withheld(podDirectory(inputs, { enrolment: ALLOWED, floor })), expected)
        }
      })

  it('withholds nothing from a pod that excludes outgoing connections, or is in another namespace', () => {
    const floor = floorFrom('namespaces: { shop: { mutualTls: true }, bank: { injection: true } }')
    const outgoing = one({ attributes: { 'countersign.dev/exclude-outbound-ports': '53' } })
    const bank = one({ namespace: 'bank', attributes: { 'countersign.dev/exclude-inbound-ports': '1' } })
    for (const manifests of [outgoing, bank])
      assert.equal(withheld(podDirectory(world(label('enabled'), manifests), { enrolment: DENIED, floor })), undefined)
  })
})

describe('who runs the mesh is told of accounts whose pods get no certificate', () => {
  const told = (manifests: readonly Manifest[], floor?: Floor): readonly string[] =>
    meshState(inventoryOf(manifests), { ...settings, enrolment: DENIED, ...(floor === undefined ? {} : { floor }) })
      .problems.filter(({ kind }) => kind === 'no-certificate')
      .map(({ object, message }) => `${object} ${message.replace(/:.*/, '')}`)

  it('because they are not enrolled, once for all replicas', () => {
    assert.deepEqual(told([pod(), pod({ name: 'b', address: '10.0.0.2' }), pod({ name: 'c', proxy: false })]), [
      'ServiceAccount shop/orders runs pods with a proxy that are not enrolled'
    ])
    assert.deepEqual(told([pod({ labels: label('enabled') }), pod({ name: 'b', phase: 'Failed' })]), [])
  })

  it('because the floor does not allow what they exclude', () => {
    const floor = floorFrom('mesh: { mutualTls: true }')
    const attributes = { 'countersign.dev/exclude-inbound-ports': '8080' }
    assert.match(told([pod({ labels: label('enabled'), attributes })], floor)[0] ?? '', /exclude ports or interfaces/)
  })

  it('in a bounded number, and how many there are beside', () => {
    const pods = Array.from({ length: 130 }, (_, at) =>
      pod({ name: `p${at}`, account: `a${at}`, address: `10.0.1.${at + 1}` })
    )
    const all = told(pods)
    assert.equal(all.length, 101)
    assert.ok(all.includes('Mesh 30 more service accounts have pods without a certificate'))
  })
})
