// Requests in shapes that something on their way may not take for HTTP, against a workload that requires a token.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { MutualTlsMode } from '../../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  type DeclaredAs,
  EVERY_DECLARATION,
  type PortPod,
  startPortPod,
  type Transport
} from '../../envoy/tokens/port-pod.ts'
import {
  QUICK_SHAPES,
  REQUEST_SHAPES,
  type RequestShape,
  sendEach,
  sendShape
} from '../../envoy/tokens/request-shapes.ts'
import {
  assertUnforged,
  checksWith,
  FORGED_HEADERS,
  KEYS,
  MEMBER_TRANSPORTS,
  TOKEN
} from '../../envoy/tokens/shape-checks.ts'
import { eventually } from '../../eventually.ts'

const MODES = ['STRICT', 'PERMISSIVE', 'DISABLE'] as const

/** Through a proxy of the mesh, an ingress for example, or directly. */
const TRANSPORTS: readonly Transport[] = ['clear', { certificate: 'none' }, ...MEMBER_TRANSPORTS]

describe('an end user', () => {
  let pod: PortPod
  before(async () => {
    pod = await startPortPod('127.83.90')
  })
  after(() => pod?.stop())

  let sent = 0
  /** Whether it was answered 200, and the application saw it. */
  async function isServed(
    declared: DeclaredAs,
    transport: Transport,
    shape: RequestShape,
    authorization: string | undefined
  ): Promise<boolean> {
    const path = `/secret-${++sent}-`
    const headers = authorization === undefined ? [] : [['authorization', `Bearer ${authorization}`] as const]
    const conversation = await pod.open(declared, transport).catch(() => undefined)
    if (conversation === undefined) return false
    await sendShape(conversation, shape, { path, headers: [...headers, ...FORGED_HEADERS] })
    return pod.application(declared).received().includes(path)
  }

  for (const mode of MODES)
    for (const declared of EVERY_DECLARATION)
      it(`without a valid token cannot reach an application of a ${mode} workload on a port that is ${declared}`, async t => {
        await pod.apply(MutualTlsMode[mode], checksWith(), KEYS)
        const { connections } = pod.application(declared)
        const cases = TRANSPORTS.flatMap((transport, index) =>
          (declared === 'undeclared' && index < 4 ? REQUEST_SHAPES : QUICK_SHAPES).flatMap(shape =>
            (transport === 'clear' ? [undefined, 'a.b.c'] : [undefined]).map(token => ({ transport, shape, token }))
          )
        )
        const served: string[] = []
        await sendEach(cases, async ({ transport, shape, token }) => {
          if (await isServed(declared, transport, shape, token))
            served.push(`${shape.title} by ${JSON.stringify(transport)}`)
        })
        assert.deepEqual(served, [])
        assert.equal(pod.application(declared).received().length, 0)
        assert.equal(pod.application(declared).connections, connections, 'the application had a connection')
        t.diagnostic(`${cases.length} requests refused`)
      })

  for (const mode of MODES)
    it(`with a valid token is served by a ${mode} workload in every shape that is HTTP, and cannot forge a header`, async t => {
      await pod.apply(MutualTlsMode[mode], checksWith(), KEYS)
      const transports: readonly Transport[] = [
        ...(mode === 'STRICT' ? [] : (['clear'] as const)),
        ...(mode === 'DISABLE' ? [] : MEMBER_TRANSPORTS.slice(0, 3))
      ]
      let served = 0
      const cases = (['undeclared', 'http'] as const).flatMap(declared =>
        transports.flatMap(transport => REQUEST_SHAPES.map(shape => ({ declared, transport, shape })))
      )
      const unserved: typeof cases = []
      await sendEach(cases, async each => {
        const seen = await isServed(each.declared, each.transport, each.shape, TOKEN)
        if (seen) served++
        else if (each.shape.legal) unserved.push(each)
        assert.ok(!seen || each.shape.legal !== false, `${each.shape.title} is served`)
      })
      // Where the machine is busy, a greeting of TLS can come later than the proxy looks for one.
      for (const { declared, transport, shape } of unserved)
        await eventually(
          () => isServed(declared, transport, shape, TOKEN),
          `${shape.title} on ${declared} by ${JSON.stringify(transport)}`
        )
      served += unserved.length
      for (const declared of EVERY_DECLARATION) assertUnforged(pod.application(declared).received())
      for (const declared of ['tcp', 'tls'] as const) assert.equal(pod.application(declared).received().length, 0)
      t.diagnostic(`${cases.length} requests with a valid token, ${served} served, no forged header`)
    })
})
