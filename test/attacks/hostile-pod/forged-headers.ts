// A member of the mesh that claims to be another, or an end user, by headers.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { Probe } from '../../../shared/probes/index.ts'
import { MutualTlsMode } from '../../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { call } from '../../envoy/calls.ts'
import { type DeclaredAs, type PortPod, startPortPod } from '../../envoy/tokens/port-pod.ts'
import { QUICK_SHAPES, REQUEST_SHAPES, sendEach, sendShape } from '../../envoy/tokens/request-shapes.ts'
import {
  assertUnforged,
  checksWith,
  FORGED,
  FORGED_HEADERS,
  KEYS,
  MEMBER_TRANSPORTS,
  SUBJECT,
  TOKEN
} from '../../envoy/tokens/shape-checks.ts'

const { STRICT, PERMISSIVE, DISABLE } = MutualTlsMode
const PROBE_PORT = 15_020
const PROBE_PATH = '/app-health/orders/readiness'

/** Names that a header can hide behind: other letter cases, and underscores that many applications take for dashes. */
const SPELLINGS = ['x-forwarded-client-cert', 'x-user', 'x-token', 'x-countersign-port'].flatMap(name => {
  const parts = name.split('-')
  const separators = Array.from({ length: 2 ** (parts.length - 1) }, (_, bits) => bits)
  return separators.flatMap(bits => {
    const spelling = parts.map((part, index) =>
      index === 0 ? part : `${bits & (1 << (index - 1)) ? '_' : '-'}${part}`
    )
    return [spelling.join(''), spelling.join('').toUpperCase()]
  })
})

describe('a hostile pod', () => {
  let pod: PortPod
  const readiness = (port: PortPod['port']): readonly Probe[] => [
    {
      container: 'orders',
      kind: 'readiness',
      protocol: 'http',
      port: port('http'),
      path: '/probed',
      scheme: 'HTTP',
      headers: []
    }
  ]
  before(async () => {
    pod = await startPortPod('127.83.91', readiness)
  })
  after(() => pod?.stop())
  /** Reads, later, what the application behind a port has had since now. */
  const fromNow = (declared: DeclaredAs): (() => string) => {
    const { length } = received(declared)
    return () => received(declared).slice(length)
  }
  const received = (declared: DeclaredAs): string => pod.application(declared).received()

  for (const mode of ['STRICT', 'PERMISSIVE'] as const)
    it(`cannot name another peer or end user to a ${mode} workload that a policy selects, in any shape of a request`, async t => {
      for (const required of [true, false]) {
        await pod.apply(MutualTlsMode[mode], checksWith({ required }), KEYS)
        const seen = { undeclared: fromNow('undeclared'), http: fromNow('http') }
        const cases = (['undeclared', 'http'] as const).flatMap(declared =>
          MEMBER_TRANSPORTS.flatMap(transport => QUICK_SHAPES.map(shape => ({ declared, transport, shape })))
        )
        await sendEach(cases, async ({ declared, transport, shape }) => {
          // Refused where the machine is so busy that its greeting comes later than the proxy looks for one.
          const conversation = await pod.open(declared, transport).catch(() => undefined)
          if (conversation === undefined) return
          // Without a token where none is required: claims are removed whether there is one or not.
          const headers = required ? [['authorization', `Bearer ${TOKEN}`] as const, ...FORGED_HEADERS] : FORGED_HEADERS
          await sendShape(conversation, shape, { path: '/', headers })
        })
        for (const declared of ['undeclared', 'http'] as const) {
          const all = seen[declared]()
          assertUnforged(all)
          // Whoever was served is named as who it is, once.
          const requests = all.match(/^(GET|PRI|get|QUERY) /gm)?.length ?? 0
          const named = all.match(new RegExp(`^(x-forwarded-client-cert: )?By=[^,\\n]*;URI=${pod.member}\\r?$`, 'gm'))
          assert.ok(requests > 0)
          assert.equal(named?.length, requests)
          assert.equal(all.includes(SUBJECT), required)
        }
        t.diagnostic(`${cases.length} requests, token ${required ? 'required' : 'accepted'}`)
      }
    })

  for (const [what, transport] of [
    ['over mutual TLS', {}],
    ['in the clear', 'clear']
  ] as const)
    it(`cannot name another peer ${what} on a port that is declared HTTP, with and without a policy`, async t => {
      const seen = fromNow('http')
      let requests = 0
      for (const checks of [undefined, checksWith({ required: false })]) {
        await pod.apply(PERMISSIVE, checks, KEYS)
        for (const name of SPELLINGS.filter(spelling => spelling.toLowerCase().startsWith('x-forwarded'))) {
          requests++
          const headers = [[name, `URI=spiffe://mesh.test/ns/bank/sa/${FORGED}`] as const]
          const [shape] = REQUEST_SHAPES
          await sendShape(await pod.open('http', transport), shape ?? assert.fail(), { path: '/', headers })
        }
      }
      assert.equal(seen().match(/^GET /gm)?.length, requests)
      assertUnforged(seen())
      assert.equal(seen().match(/^x-forwarded-client-cert: /gm)?.length ?? 0, transport === 'clear' ? 0 : requests)
      t.diagnostic(`${requests} requests`)
    })

  it('cannot name a peer or an end user through the port of probes, whatever the mode', async t => {
    const seen = fromNow('http')
    let requests = 0
    for (const mode of [STRICT, PERMISSIVE, DISABLE])
      for (const required of [true, false]) {
        await pod.apply(mode, checksWith({ required }), KEYS)
        for (const name of SPELLINGS) {
          const headers = { [name]: FORGED, authorization: `Bearer ${TOKEN}`, 'x-kept': 'kept' }
          const answer = await call({ address: pod.address, port: PROBE_PORT, path: PROBE_PATH, headers })
          assert.equal(answer.status, 200, answer.body)
          requests++
        }
      }
    assert.equal(seen().match(/^GET \/probed /gm)?.length, requests)
    assert.equal(seen().match(/^x-kept: kept/gm)?.length, requests)
    assertUnforged(seen())
    t.diagnostic(`${requests} requests`)
  })
})
