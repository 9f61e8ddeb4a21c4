import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { UnreadablePolicy } from '../../shared/policy/index.ts'
import { meshState } from '../naming/index.ts'
import {
  endUserAuthentication,
  inventoryOf,
  type Manifest,
  pod,
  requestAuthentication,
  service,
  settings
} from '../naming/mesh.test-support.ts'
import { policyStatuses } from './index.ts'

interface Gap {
  readonly kind: string
  readonly object: string
  readonly message: string
}

/** The conditions of each policy, by subject and type. */
function conditionsOf(
  manifests: readonly Manifest[],
  gaps: readonly Gap[] = [],
  unreadablePolicies: readonly UnreadablePolicy[] = []
) {
  const inventory = { ...inventoryOf(manifests), unreadablePolicies }
  const { problems, workloadsByNode } = meshState(inventory, settings)
  const statuses = policyStatuses({
    inventory,
    rootNamespace: settings.rootNamespace,
    problems: [...problems, ...gaps],
    keysOf: () => ({ jwks: '{}', condition: { status: 'ready', message: '' } }),
    workloads: [...workloadsByNode.values()].flatMap(workloads => [...workloads.values()])
  })
  return Object.fromEntries(
    statuses.map(({ kind, conditions }) => [
      kind,
      Object.fromEntries(
        conditions.map(({ type, status, reason, message }) => [type, { short: `${status} ${reason}`, message }])
      )
    ])
  )
}

const ports = [
  { name: 'http', containerPort: 8080 },
  { name: 'tcp-db', containerPort: 5432 },
  { name: 'https', containerPort: 8443 },
  { containerPort: 9000 },
  { name: 'metrics', containerPort: 9090 }
]
const REST = 'ports that nothing declares: HTTP only, tokens are checked'

describe('the condition on ports', () => {
  it('of an EndUserAuthentication says what is true on each', () => {
    const { EndUserAuthentication: own } = conditionsOf([
      pod({ ports }),
      service({ name: 'db', ports: [{ name: 'tcp-x', port: 1, targetPort: 5432 }] }),
      endUserAuthentication({ spec: { exemptPorts: [9090, 9999] } })
    ])
    const message = [
      'port 5432 (declared TCP by port name "tcp-x" of Service shop/db): closed to callers',
      'port 8080: HTTP, tokens are checked',
      'port 8443 (declared TLS by port name "https" of a container): closed to callers',
      'port 9000 (no known protocol is declared): HTTP only, tokens are checked',
      'port 9090 (no known protocol is declared): exempt',
      'port 9999: exempt',
      REST
    ].join('; ')
    assert.deepEqual(own?.['PortsChecked'], { short: 'True PortsChecked', message })
    assert.deepEqual(own?.['Ready'], { short: 'True Ready', message })
    assert.deepEqual(own?.['Accepted'], { short: 'True Accepted', message: 'the policy is valid' })
  })

  it('of a RequestAuthentication says that ports declared TCP or TLS stay as they are', () => {
    const { RequestAuthentication: own } = conditionsOf([pod({ ports: ports.slice(1, 3) }), requestAuthentication()])
    assert.equal(
      own?.['Ready']?.message,
      [
        'port 5432 (declared TCP by port name "tcp-db" of a container): not HTTP, no token is looked at',
        'port 8443 (declared TLS by port name "https" of a container): not HTTP, no token is looked at',
        REST
      ].join('; ')
    )
  })

  it('of one that another closes a port for says that it is closed', () => {
    const manifests = [pod({ ports: ports.slice(1, 2) }), requestAuthentication(), endUserAuthentication()]
    for (const own of Object.values(conditionsOf(manifests)))
      assert.match(own['PortsChecked']?.message ?? '', /^port 5432 .*: closed to callers; /)
  })

  it('of one that exempts a port which another policy closes says that it is closed', () => {
    const tcp = pod({ ports: ports.slice(1, 2) })
    const exempting = endUserAuthentication({ spec: { exemptPorts: [5432] } })
    const said = (...given: Parameters<typeof conditionsOf>) =>
      conditionsOf(...given)['EndUserAuthentication']?.['PortsChecked']?.message ?? ''
    assert.match(said([tcp, exempting]), /^port 5432 [^;]*: exempt; /)
    for (const kind of ['EndUserAuthentication', 'RequestAuthentication'] as const)
      assert.match(
        said([tcp, exempting], [], [{ kind, namespace: 'shop', name: 'p', issues: ['x'] }]),
        /^port 5432 [^;]*: closed to callers; /
      )
    const required = requestAuthentication({ spec: { jwtRules: [{ issuer: 'https://a.test', presence: 'REQUIRED' }] } })
    assert.match(said([tcp, exempting, required]), /^port 5432 [^;]*: closed to callers; /)
    const optional = requestAuthentication()
    assert.match(said([tcp, exempting, optional]), /^port 5432 [^;]*: exempt; /)
  })

  it('lets the policy be said to hold only where each declared port is HTTP and none is exempt', () => {
    const http = [pod({ ports: ports.slice(0, 1) })]
    const annotations = { 'countersign.dev/exempt-ports': '9090' }
    const accepting = requestAuthentication()
    const exempting = { ...accepting, metadata: { ...(accepting['metadata'] as object), annotations } }
    assert.equal(conditionsOf([...http, accepting])['RequestAuthentication']?.['Ready']?.message, 'the policy holds')
    assert.equal(
      conditionsOf([...http, exempting])['RequestAuthentication']?.['Ready']?.message,
      `port 8080: HTTP, tokens are checked; port 9090: exempt; ${REST}`
    )
  })

  it('of a RequestAuthentication whose tokens another policy demands as well says which ports it exempts itself', () => {
    const required = (name: string, ports: string, issuer: string) => ({
      ...requestAuthentication({ spec: { jwtRules: [{ issuer, presence: 'REQUIRED' }] } }),
      metadata: { name, namespace: 'shop', annotations: { 'countersign.dev/exempt-ports': ports } }
    })
    const own = endUserAuthentication({ spec: { includePaths: ['/p'] } })
    const http = pod({ ports: ports.slice(0, 1) })
    const said = (...manifests: readonly Manifest[]) =>
      conditionsOf([http, own, ...manifests])['RequestAuthentication']?.['Ready']?.message
    const first = required('web', '8080', 'https://a.test')
    assert.equal(said(first), `port 8080: exempt; ${REST}`)
    // The last of two of a kind is told: the one whose token the rule of the other demands beside its own.
    assert.equal(
      said(required('a', '8080', 'https://a.test'), required('b', '9090', 'https://c.test')),
      `port 8080: HTTP, tokens are checked; port 9090: exempt; ${REST}`
    )
    assert.equal(said(required('b', '9090', 'https://c.test'), first), `port 8080: exempt; ${REST}`)
  })

  for (const jwtRules of [[], undefined])
    it(`lets no RequestAuthentication be ready whose rules are ${JSON.stringify(jwtRules)}: it does nothing`, () => {
      const policy = requestAuthentication({ spec: { jwtRules } })
      for (const manifests of [[policy], [pod({ ports: ports.slice(0, 1) }), policy, endUserAuthentication()]]) {
        const { RequestAuthentication: own } = conditionsOf(manifests)
        assert.deepEqual([own?.['Ready']?.short, own?.['Accepted']?.short], ['False Ignored', 'False Ignored'])
        assert.match(own?.['Ready']?.message ?? '', /^does nothing: spec\.jwtRules /)
      }
    })

  it('is unknown where no pod has the policy, and the policy is ready for those that come', () => {
    const { EndUserAuthentication: own } = conditionsOf([endUserAuthentication()])
    assert.deepEqual([own?.['PortsChecked']?.short, own?.['Ready']?.short], ['Unknown NoWorkload', 'True Ready'])
  })

  it('is False with everything that is found where the policy is not enforced on a pod, whatever the kind', () => {
    const gaps = ['without-proxy', 'something-new'].map(kind => ({
      kind,
      object: 'EndUserAuthentication shop/web',
      message: `${kind} is told`
    }))
    const { EndUserAuthentication: own } = conditionsOf(
      [pod({ ports: ports.slice(0, 1) }), endUserAuthentication()],
      gaps
    )
    const message = `without-proxy is told; something-new is told; port 8080: HTTP, tokens are checked; ${REST}`
    assert.deepEqual(own?.['PortsChecked'], { short: 'False NotEnforced', message })
    assert.deepEqual(own?.['Ready'], { short: 'False NotEnforced', message })
  })

  it('is the same for one pod and for many, in any order', () => {
    const pods = [1, 2, 3].map(number => pod({ name: `orders-${number}`, address: `10.0.0.${number}`, ports }))
    const [first] = pods
    assert.ok(first)
    const policies = [endUserAuthentication(), requestAuthentication()]
    assert.deepEqual(conditionsOf([...pods, ...policies]), conditionsOf([first, ...policies]))
    assert.deepEqual(conditionsOf([...pods.toReversed(), ...policies]), conditionsOf([first, ...policies]))
  })

  it('is short, however many ports there are and however long what declares them', () => {
    const many = Array.from({ length: 500 }, (_, index) => ({
      ...{ name: `p${index}`, port: index + 1, targetPort: index + 1 },
      appProtocol: `tcp-${'x'.repeat(250)}`
    }))
    const gaps = Array.from({ length: 50 }, (_, index) => ({
      kind: 'gap',
      object: 'EndUserAuthentication shop/web',
      message: `${index} ${'y'.repeat(2_000)}`
    }))
    const { EndUserAuthentication: own } = conditionsOf(
      [pod(), service({ ports: many }), endUserAuthentication()],
      gaps
    )
    const message = own?.['PortsChecked']?.message ?? ''
    assert.ok(message.length < 5_000, `${message.length} characters`)
    assert.match(message, /; and others; port 1 .*; and others; ports that nothing declares/)
  })
})
