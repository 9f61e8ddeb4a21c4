// Every kind of configuration that agent/proxy makes, before the judge that matters: Envoy.

import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import {
  EVERY_PROTOCOL,
  manyServices,
  newRoot,
  newState,
  newSvid,
  newWorkload,
  spiffeId
} from '../../agent/proxy/fixtures.test-support.ts'
import { composeSnapshot, type Interception } from '../../agent/proxy/index.ts'
import { createBootstrap } from '../../shared/bootstrap/index.ts'
import type { Probe } from '../../shared/probes/index.ts'
import { MutualTlsMode, Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { Issuer } from '../../shared/x509/index.ts'
import { validateConfig, validateSnapshot } from './index.ts'

const bootstrap = createBootstrap({
  nodeId: 'b1946ac9-0000-4000-8000-000000000001',
  nodeCluster: 'shop/orders-0',
  socketPath: '/run/countersign/agent.sock'
})

const INTERCEPTIONS: Readonly<Record<string, Interception>> = {
  'a redirected': { kind: 'redirect' },
  'an explicit': { kind: 'explicit', applicationAddress: '127.83.1.1' }
}
const MODES = { strict: MutualTlsMode.STRICT, permissive: MutualTlsMode.PERMISSIVE, disabled: MutualTlsMode.DISABLE }
const ADDRESSES = {
  ipv4: ['10.1.0.7'],
  ipv6: ['fd00:1::7'],
  'dual-stack': ['10.1.0.7', 'fd00:1::7']
} as const

const PROBES: readonly Probe[] = [
  { container: 'db', kind: 'readiness', protocol: 'tcp', port: 5432 },
  { container: 'rpc', kind: 'liveness', protocol: 'grpc', port: 9000, service: 'ü'.repeat(4_000) },
  {
    container: 'orders',
    kind: 'preStop',
    protocol: 'http',
    port: 8080,
    path: '/ready?a=%20',
    scheme: 'HTTP',
    headers: []
  },
  {
    container: 'orders',
    kind: 'liveness',
    protocol: 'http',
    port: 8443,
    path: '/',
    scheme: 'HTTPS',
    host: 'orders.example',
    headers: [
      ['X-Probe', `100% %REQ(a)% ü ${'%'.repeat(4_000)}`],
      ['X-Probe', ''],
      ['accept', '']
    ]
  }
]

describe('Envoy', () => {
  let root: Issuer
  let foreign: Issuer
  before(async () => {
    root = await newRoot()
    foreign = await newRoot()
  })

  it('accepts the bootstrap', () => validateConfig(bootstrap))

  it('refuses a bootstrap that it should refuse, so that its word counts', async () => {
    await assert.rejects(
      validateConfig({ ...(bootstrap as object), admin: { address: { pipe: { path: 'x'.repeat(200) } } } }),
      /exceeds maximum UNIX domain socket path size/
    )
  })

  for (const [how, interception] of Object.entries(INTERCEPTIONS))
    for (const [mode, value] of Object.entries(MODES))
      for (const [family, addresses] of Object.entries(ADDRESSES))
        for (const count of [0, 1, 200]) {
          // Size has nothing to do with modes and families: once each is enough.
          if (count === 200 && (mode !== 'permissive' || family === 'dual-stack')) continue
          it(`accepts ${how} ${mode} pod with ${family} among ${count} services`, async () => {
            const state = newState({
              roots: [root],
              foreign: { 'other.test': foreign },
              ...manyServices(count, family === 'ipv6' ? 'ipv6' : 'ipv4')
            })
            const workload = newWorkload({
              addresses: [...addresses],
              ports: [...EVERY_PROTOCOL, Protocol.UNSPECIFIED].map((protocol, index) => ({
                number: 8080 + index,
                protocol,
                reason: `port name "${index}" of Service shop/orders`
              })),
              mode: value,
              portModes: { 9090: MutualTlsMode.DISABLE, 9091: MutualTlsMode.STRICT }
            })
            const svid = await newSvid(root, spiffeId('shop', 'orders'))
            const snapshot = composeSnapshot(state, { workload, svid, interception, probes: PROBES })
            await validateSnapshot(bootstrap, snapshot)
          })
        }
})
