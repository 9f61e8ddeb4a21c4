import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { meshState } from '../../../authority/naming/index.ts'
import {
  endUserAuthentication,
  inventoryOf,
  type Manifest,
  pod,
  requestAuthentication,
  type ServiceOptions,
  service,
  settings
} from '../../../authority/naming/mesh.test-support.ts'
import { type PortTraffic, trafficOn } from '../../../shared/port-traffic/index.ts'
import { Protocol } from '../../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'

const PORT = 8080
const TARGET = 'main'

/** A name and an appProtocol of a Service port, or of neither. */
interface Declaration {
  readonly name?: string
  readonly appProtocol?: string
}

const DECLARATIONS: readonly Declaration[] = [
  {},
  ...['tcp', 'tls', 'https', 'http', 'http2', 'grpc', 'grpc-web', 'mongo', 'mysql-x', 'redis', 'web', 'tcp-http'].map(
    name => ({ name })
  ),
  ...['tcp', 'TCP', 'tls', 'https', 'kubernetes.io/wss', 'kubernetes.io/h2c', 'http', 'grpc', 'amqps', 'x'].map(
    appProtocol => ({ name: 'http', appProtocol })
  ),
  { appProtocol: 'redis' }
]

const SHAPES: readonly ServiceOptions[] = [
  {},
  { clusterIP: 'None' },
  { publishNotReadyAddresses: true },
  { type: 'LoadBalancer' },
  { selector: { app: 'orders', tier: 'x' } },
  { selector: { tier: 'x' } }
]

/** What the owners of the workload declare. */
interface Victim {
  readonly service?: Declaration
  readonly container?: string
}

const VICTIMS: readonly Victim[] = [
  ...['http', 'grpc', 'http2', 'web', 'tcp', 'https'].map(name => ({ service: { name } })),
  { service: { name: 'web', appProtocol: 'http' } },
  { service: {} },
  { service: { name: 'main' }, container: 'http' },
  { container: 'http' },
  { container: 'grpc-api' },
  { container: 'tcp' },
  { service: { name: 'tcp' }, container: 'http' },
  {}
]

const required = endUserAuthentication({ selector: { app: 'orders' } })
const accepting = requestAuthentication({ selector: { app: 'orders' } })
const ROOT = settings.rootNamespace
const POLICIES: Readonly<Record<string, readonly Manifest[]>> = {
  'an EndUserAuthentication': [required],
  'one for the whole mesh': [endUserAuthentication({ namespace: ROOT })],
  'one that exempts another port': [endUserAuthentication({ spec: { exemptPorts: [9090] } })],
  'a RequestAuthentication': [accepting],
  'one of Istio for the whole mesh': [requestAuthentication({ namespace: ROOT })],
  'both kinds': [required, accepting],
  'no policy': []
}

const portOf = (declaration: Declaration, targetPort: number | string): object => ({
  ...declaration,
  port: 80,
  targetPort
})

function workload({ service: declared, container }: Victim): readonly Manifest[] {
  const ports = [{ containerPort: PORT, name: container ?? TARGET }]
  const labels = { app: 'orders', tier: 'x' }
  const own = declared === undefined ? [] : [service({ name: 'orders', ports: [portOf(declared, PORT)] })]
  return [pod({ labels, ports }), ...own]
}

interface Seen {
  readonly traffic: PortTraffic
  readonly isHttp: boolean
  readonly rules: string
}

function seen(manifests: readonly Manifest[]): Seen {
  const { workloadsByNode } = meshState(inventoryOf(manifests), settings)
  const { ports, endUsers } = workloadsByNode.get('node-1')?.get('uid-orders-1') ?? assert.fail('no workload')
  const { protocol = Protocol.UNSPECIFIED } = ports.find(({ number }) => number === PORT) ?? {}
  const rules = endUsers?.rules.map(({ required, providers, exemptPorts }) => ({ required, providers, exemptPorts }))
  return {
    traffic: trafficOn({ number: PORT, protocol }, endUsers),
    isHttp: protocol === Protocol.HTTP || protocol === Protocol.HTTP2,
    rules: JSON.stringify(rules)
  }
}

/** Fails where the attacker's Services leave a port with less of a check than it had. */
function assertNoWeaker(before: Seen, after: Seen, what: object): void {
  const context = JSON.stringify({ what, before, after })
  assert.equal(after.rules, before.rules, context)
  if (before.isHttp) assert.ok(after.isHttp, `HTTP is taken for something else: ${context}`)
  if (before.traffic !== 'any') assert.notEqual(after.traffic, 'any', `unchecked bytes pass: ${context}`)
}

const FEW: readonly Declaration[] = [{ name: 'tcp' }, { name: 'https' }, {}, { name: 'http', appProtocol: 'amqps' }]

const attacks = (name: string, targetPort: number | string): readonly ServiceOptions[] =>
  SHAPES.flatMap((shape, index) =>
    (index === 0 ? DECLARATIONS : FEW).map(declaration => ({
      ...{ name, clusterIP: '10.96.0.9', ...shape },
      ports: [portOf(declaration, targetPort)]
    }))
  )

/**
 * A RequestAuthentication leaves ports that are declared TCP or TLS as they are. So where the owners of a workload
 * declare nothing at all, neither by a Service nor by the name of the container's port, the only declaration is the
 * attacker's, and is believed.
 */
const isOnlyDeclaration = (victim: Victim, policy: string): boolean =>
  victim.service === undefined && victim.container === undefined && /Request|Istio/.test(policy)

describe('declarations of a port', () => {
  it('a tenant who can write Services cannot turn off a check by one more Service, whatever it declares', t => {
    let count = 0
    for (const victim of VICTIMS)
      for (const [policy, policies] of Object.entries(POLICIES)) {
        if (isOnlyDeclaration(victim, policy)) continue
        const honest = [...workload(victim), ...policies]
        const before = seen(honest)
        for (const name of ['a', 'zz'])
          for (const target of [PORT, victim.container ?? TARGET])
            for (const attack of attacks(name, target)) {
              assertNoWeaker(before, seen([...honest, service(attack)]), { victim, policy, attack })
              count++
            }
      }
    t.diagnostic(`${count} variants refused`)
  })

  it('a tenant who can write Services cannot turn off a check by two more Services', t => {
    let count = 0
    for (const victim of VICTIMS.slice(0, 4))
      for (const policy of ['an EndUserAuthentication', 'a RequestAuthentication', 'no policy']) {
        const honest = [...workload(victim), ...(POLICIES[policy] ?? [])]
        const before = seen(honest)
        for (const first of DECLARATIONS)
          for (const second of DECLARATIONS) {
            const attack = [first, second].map((declaration, index) =>
              service({ name: `${index === 0 ? 'a' : 'zz'}`, ports: [portOf(declaration, PORT)] })
            )
            assertNoWeaker(before, seen([...honest, ...attack]), { victim, policy, first, second })
            count++
          }
      }
    t.diagnostic(`${count} variants refused`)
  })

  it('a tenant who can write Services of another namespace cannot change what a port is taken for', t => {
    let count = 0
    for (const victim of VICTIMS)
      for (const policies of Object.values(POLICIES)) {
        const honest = [...workload(victim), ...policies]
        const before = seen(honest)
        for (const declaration of DECLARATIONS) {
          const attack = service({ name: 'a', namespace: 'other', ports: [portOf(declaration, PORT)] })
          assert.deepEqual(seen([...honest, attack]), before)
          count++
        }
      }
    t.diagnostic(`${count} variants without effect`)
  })

  it('a tenant whose Service contradicts another is told of it, and so is the owner of the other', t => {
    let count = 0
    for (const [own, other] of [
      ['http', 'tcp'],
      ['http', 'https'],
      ['grpc', 'http'],
      ['web', 'tcp']
    ] as const)
      for (const name of ['a', 'zz']) {
        const manifests = [
          ...workload({ service: { name: own } }),
          service({ name, ports: [portOf({ name: other }, PORT)] }),
          required
        ]
        const { problems } = meshState(inventoryOf(manifests), settings)
        const told = problems.filter(({ kind }) => kind === 'protocol-conflict').map(({ object }) => object)
        assert.deepEqual(told.sort(), [`Service shop/${name}`, 'Service shop/orders'].sort())
        count++
      }
    t.diagnostic(`${count} contradictions told of both Services`)
  })
})
