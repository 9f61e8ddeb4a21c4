// What callers may send on the ports of a captured pod that a policy on end users selects. Needs root.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { newRoot, newState, newSvid, newWorkload, spiffeId } from '../../agent/proxy/fixtures.test-support.ts'
import { EndUserChecksSchema, MutualTlsMode, Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import { checksWith, KEYS, TOKEN } from '../envoy/tokens/shape-checks.ts'
import { type CapturedPod, startCapturedPod } from './direct-pod.ts'
import type { Answer } from './peer.ts'
import { link, Namespace, OUTSIDE, USER } from './pod.ts'
import { Program } from './program.ts'

const PORT = { http: 9000, tcp: 9001, tls: 9002, undeclared: 9003, exempt: 9004, exemptTcp: 9005 } as const
type PortName = keyof typeof PORT

const request = (token?: string): string =>
  `GET / HTTP/1.1\r\nhost: orders\r\n${token === undefined ? '' : `authorization: Bearer ${token}\r\n`}\r\n`
// An empty line first, which the inspectors of a listener do not take for HTTP.
const unrecognised = (token?: string): string => `\r\n${request(token)}`

describe('the ports of a captured pod that requires a token', () => {
  let program: Program
  let client: Namespace
  let server: Namespace
  let proxy: CapturedPod
  before(async () => {
    program = new Program({ capture: 'nftables' })
    await program.start()
    client = new Namespace()
    server = new Namespace()
    link(client.name, server.name, true)
    const root = await newRoot()
    const { http, tcp, tls, exempt, exemptTcp } = PORT
    proxy = await startCapturedPod(server, program, newState({ roots: [root], keySets: KEYS }), {
      workload: newWorkload({
        uid: randomUUID(),
        addresses: [OUTSIDE.ipv4, OUTSIDE.ipv6],
        mode: MutualTlsMode.PERMISSIVE,
        ports: [
          { number: http, protocol: Protocol.HTTP },
          { number: tcp, protocol: Protocol.TCP },
          { number: tls, protocol: Protocol.TLS },
          { number: exemptTcp, protocol: Protocol.TCP }
        ],
        endUsers: create(EndUserChecksSchema, checksWith({ exemptPorts: [exempt, exemptTcp] }))
      }),
      svid: await newSvid(root, spiffeId('shop', 'orders')),
      interception: { kind: 'redirect' },
      probes: []
    })
    for (const port of Object.values(PORT)) await server.serve('::', port)
  })
  after(async () => {
    await client?.close()
    await server?.close()
    await proxy?.close()
    await program?.close()
  })

  for (const family of ['ipv4', 'ipv6'] as const) {
    const ask = (port: PortName, text: string): Promise<Answer> =>
      client.say(USER.application, OUTSIDE[family], PORT[port], text)

    for (const port of ['undeclared', 'http'] as const)
      it(`that are ${port} carry HTTP only, with a valid token, over ${family}`, async () => {
        for (const shape of [request, unrecognised]) {
          const refused = await ask(port, shape())
          assert.deepEqual([refused.by, refused.status], [undefined, '401'])
          assert.equal((await ask(port, shape(TOKEN))).by, 'app')
        }
        assert.equal((await ask(port, '\x01 no HTTP\r\n\r\n')).status, '400')
      })

    for (const port of ['tcp', 'tls'] as const)
      it(`that are declared ${port} are closed, and are none of the undeclared, over ${family}`, async () => {
        for (const text of [request(), unrecognised(), request(TOKEN), unrecognised(TOKEN)]) {
          const { by, status } = await ask(port, text)
          assert.deepEqual([by, status], [undefined, undefined])
        }
      })

    for (const port of ['exempt', 'exemptTcp'] as const)
      it(`that are ${port} pass bytes, over ${family}`, async () => {
        assert.equal((await ask(port, unrecognised())).by, 'app')
        assert.equal((await ask(port, request())).by, 'app')
      })

    for (const port of ['undeclared', 'http'] as const)
      it(`that are ${port} cannot pass for an exempt one by a header, over ${family}`, async () => {
        for (const name of ['x-countersign-port', 'x_countersign_port', 'X-Countersign_Port']) {
          const forged = request().replace('\r\n\r\n', `\r\n${name}: ${PORT.exempt}\r\n\r\n`)
          const { by, status } = await ask(port, forged)
          assert.deepEqual([by, status], [undefined, '401'], name)
        }
      })
  }
})
