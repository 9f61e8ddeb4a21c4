import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { meshState } from '../../../authority/naming/index.ts'
import {
  endUserAuthentication,
  inventoryOf,
  type Manifest,
  pod,
  requestAuthentication,
  settings
} from '../../../authority/naming/mesh.test-support.ts'
import { checkRequestAuthentication } from '../../../shared/policy/index.ts'
import { trafficOn } from '../../../shared/port-traffic/index.ts'
import { Protocol } from '../../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'

const ANNOTATION = 'countersign.dev/exempt-ports'
const PORTS = [
  { name: 'http', containerPort: 8080 },
  { name: 'tcp', containerPort: 5432 },
  { name: 'https', containerPort: 8443 },
  { containerPort: 9000 }
]
const NUMBERS = [8080, 5432, 8443, 9000, 1234]

const annotated = (policy: Manifest, value: unknown): Manifest => ({
  ...policy,
  metadata: { ...(policy['metadata'] as object), annotations: { [ANNOTATION]: value } }
})

function trafficOf(...policies: readonly Manifest[]): readonly string[] {
  const { workloadsByNode } = meshState(inventoryOf([pod({ ports: PORTS }), ...policies]), settings)
  const { ports, endUsers } = workloadsByNode.get('node-1')?.get('uid-orders-1') ?? assert.fail('no workload')
  return NUMBERS.map(number => {
    const { protocol = Protocol.UNSPECIFIED } = ports.find(port => port.number === number) ?? {}
    return trafficOn({ number, protocol }, endUsers)
  })
}

const subsets = Array.from({ length: 2 ** NUMBERS.length }, (_, bits) => NUMBERS.filter((_, bit) => bits & (1 << bit)))

describe('exemptions of ports', () => {
  const demanding: Readonly<Record<string, Manifest>> = {
    'of the namespace': endUserAuthentication({ name: 'all', created: 9 }),
    'of the whole mesh': endUserAuthentication({ name: 'all', namespace: settings.rootNamespace, created: 9 })
  }
  for (const [what, policy] of Object.entries(demanding))
    it(`a tenant who exempts ports in policies of their own cannot exempt them from a policy ${what}`, t => {
      const before = trafficOf(policy)
      assert.deepEqual(before, ['http', 'none', 'none', 'http', 'http'])
      let count = 0
      for (const ports of subsets.filter(({ length }) => length > 0))
        for (const own of [
          endUserAuthentication({ name: 'own', created: 1, spec: { exemptPorts: ports } }),
          annotated(requestAuthentication({ name: 'own' }), ports.join())
        ]) {
          assert.deepEqual(trafficOf(policy, own), before, JSON.stringify({ own }))
          count++
        }
      t.diagnostic(`${count} variants refused`)
    })

  it('a tenant who exempts ports opens these ports and no other', t => {
    const closed = trafficOf(endUserAuthentication())
    let count = 0
    for (const ports of subsets.filter(({ length }) => length > 0)) {
      const traffic = trafficOf(endUserAuthentication({ spec: { exemptPorts: ports } }))
      for (const [index, number] of NUMBERS.entries()) {
        assert.equal(traffic[index], ports.includes(number) ? 'any' : closed[index], JSON.stringify({ ports, number }))
        count++
      }
    }
    t.diagnostic(`${count} ports looked at`)
  })

  it('a tenant who writes exempt ports in another way than numbers cannot exempt any', t => {
    const values: readonly unknown[] = [
      ...[
        '',
        ' ',
        ',',
        '8080,',
        ',8080',
        '0',
        '-1',
        '+8080',
        '08080',
        '8080.0',
        '8e3',
        '0x1f90',
        '1-65535',
        '*',
        'all'
      ],
      ...[
        '65536',
        '99999999999999999999',
        '8080 9090',
        '8080;9090',
        '[8080]',
        '"8080"',
        'http',
        '８０８０',
        '8080\u0000'
      ],
      ...['8080,8080', 'null', 'true', 'NaN', 'Infinity', '8080,http', '1\n2', Array(65).fill(1).join()],
      ...[8080, 0, true, [8080], { 8080: true }]
    ]
    for (const value of values) {
      const result = checkRequestAuthentication(annotated(requestAuthentication(), value))
      assert.ok(!result.ok, JSON.stringify(value))
      assert.match(result.issues[0]?.path.join() ?? '', /exempt-ports$/)
    }
    t.diagnostic(`${values.length} variants refused`)
  })
})
