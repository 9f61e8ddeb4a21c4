import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { podFromManifest, serviceFromManifest } from '../../shared/inventory/index.ts'
import { policyOnPorts, portWarnings, type TypedObject } from './index.ts'

const ports = [
  { name: 'http', containerPort: 8080 },
  { name: 'tcp-db', containerPort: 5432 },
  { name: 'https', containerPort: 8443 },
  { containerPort: 9000 }
]

interface PodDraft {
  readonly labels?: object
  readonly proxy?: boolean
  readonly ports?: readonly object[]
  readonly phase?: string
}

function pod({ labels = { app: 'orders' }, proxy = true, ports: given = ports, phase = 'Running' }: PodDraft = {}) {
  const { value } = podFromManifest({
    metadata: { name: 'orders-1', namespace: 'shop', labels },
    spec: {
      initContainers: proxy
        ? [{ name: 'countersign-proxy', restartPolicy: 'Always', volumeMounts: [{ name: 'countersign' }] }]
        : [],
      containers: [{ name: 'app', ports: given }],
      volumes: proxy ? [{ name: 'countersign', csi: { driver: 'csi.countersign.dev' } }] : []
    },
    status: { phase }
  })
  assert.ok(value)
  return value
}

function service(name: string, ...given: readonly object[]) {
  const object = { metadata: { name, namespace: 'shop' }, spec: { selector: { app: 'orders' }, ports: given } }
  const { value } = serviceFromManifest(object)
  assert.ok(value)
  return value
}

type Draft = TypedObject & Readonly<Record<string, unknown>>

const metadata = { name: 'web', namespace: 'shop' }
const endUsers = (spec: object = {}): Draft => ({
  ...{ apiVersion: 'countersign.dev/v1', kind: 'EndUserAuthentication', metadata },
  spec: { issuer: 'https://a.test', selector: { matchLabels: { app: 'orders' } }, ...spec }
})
const ofIstio = (annotations: object = {}): Draft => ({
  ...{ apiVersion: 'security.istio.io/v1', kind: 'RequestAuthentication' },
  metadata: { ...metadata, annotations },
  spec: { jwtRules: [{ issuer: 'https://a.test' }] }
})

function warningsOf(object: TypedObject, found: Partial<Parameters<typeof portWarnings>[1]> = {}): readonly string[] {
  const policy = policyOnPorts(object) ?? assert.fail('no policy on ports')
  return portWarnings(policy, { pods: [pod()], services: [], isPartial: false, ...found })
}

describe('the author of an EndUserAuthentication is warned', () => {
  it('of each port that it closes, then of each that carries HTTP only', () => {
    assert.deepEqual(warningsOf(endUsers()), [
      'port 5432 of selected pods is closed to callers unless exempt by spec.exemptPorts (declared TCP by port name "tcp-db" of a container)',
      'port 8443 of selected pods is closed to callers unless exempt by spec.exemptPorts (declared TLS by port name "https" of a container)',
      'port 9000 of selected pods is HTTP only unless exempt by spec.exemptPorts (no known protocol is declared)'
    ])
  })

  it('not of ports that it exempts', () => {
    const warnings = warningsOf(endUsers({ exemptPorts: [5432, 9000] }))
    assert.deepEqual(
      warnings.map(text => text.slice(0, 9)),
      ['port 8443']
    )
  })

  it('of what Services declare, as the authority reads it', () => {
    const services = [
      service('a', { name: 'tcp', port: 1, targetPort: 8080 }),
      service('b', { name: 'http', port: 1, targetPort: 'tcp-db' }),
      service('c', { name: 'redis', port: 6379, targetPort: 6379 })
    ]
    const numbers = warningsOf(endUsers(), { services }).map(text => text.split(' ')[1])
    assert.deepEqual(numbers, ['6379', '8443', '9000'])
  })

  for (const [what, draft] of [
    ['without a proxy', { proxy: false }],
    ['that have ended', { phase: 'Succeeded' }],
    ['that it does not select', { labels: { app: 'other' } }]
  ] as const)
    it(`not of pods ${what}`, () => assert.deepEqual(warningsOf(endUsers(), { pods: [pod(draft)] }), []))

  it('of the same port once, however many pods have it', () =>
    assert.equal(warningsOf(endUsers(), { pods: [pod(), pod(), pod()] }).length, 3))

  it('of ten ports and of how many more there are', () => {
    const many = Array.from({ length: 64 }, (_, index) => ({ name: `tcp-${index}`, containerPort: 1_000 + index }))
    const warnings = warningsOf(endUsers(), { pods: [pod({ ports: many })], isPartial: true })
    assert.equal(warnings.length, 12)
    assert.equal(warnings[10], 'and 54 more ports that the policy closes or restricts to HTTP: see its status')
    assert.match(warnings[11] ?? '', /^more than 500 pods or Services/)
    assert.ok(warnings.every(text => text.length <= 256))
  })
})

describe('the author of a RequestAuthentication is warned', () => {
  it('of ports that carry HTTP only, and not of those that stay as they are', () => {
    assert.deepEqual(warningsOf(ofIstio()), [
      'port 9000 of selected pods is HTTP only unless exempt by the annotation countersign.dev/exempt-ports (no known protocol is declared)'
    ])
    assert.deepEqual(warningsOf(ofIstio({ 'countersign.dev/exempt-ports': '9000' })), [])
  })
})

describe('ports are no matter', () => {
  const others: Readonly<Record<string, Draft>> = {
    'of a PeerAuthentication': { apiVersion: 'security.istio.io/v1', kind: 'PeerAuthentication', ...{ metadata } },
    'of a policy that is not valid': endUsers({ issuer: 5 }),
    'of a RequestAuthentication without rules': { ...ofIstio(), ...{ spec: {} } }
  }
  for (const [what, object] of Object.entries(others)) it(what, () => assert.equal(policyOnPorts(object), undefined))
})
