// Calls to the address of a pod, between two captured pods with real proxies: a headless Service, a pod of a
// StatefulSet by its name, whatever finds its endpoints itself. Needs root.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import {
  newEndpoints,
  newRoot,
  newService,
  newState,
  newSvid,
  newWorkload,
  spiffeId
} from '../../agent/proxy/fixtures.test-support.ts'
import type { MeshState } from '../../agent/proxy/index.ts'
import { DELIVERY_SOURCE } from '../../shared/bootstrap/index.ts'
import { MutualTlsMode, Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import type { Issuer } from '../../shared/x509/index.ts'
import { type CapturedPod, startCapturedPod } from './direct-pod.ts'
import type { Answer } from './peer.ts'
import { eventually, INSIDE, link, Namespace, OUTSIDE, USER } from './pod.ts'
import { Program } from './program.ts'

const { STRICT, PERMISSIVE, DISABLE } = MutualTlsMode
const SERVER = spiffeId('shop', 'orders').toString()
const SOMEBODY_ELSE = spiffeId('shop', 'somebody-else').toString()

/** The ports on which the server's application listens. */
const PORT = {
  http: 9000,
  tcp: 9001,
  impostor: 9002,
  nobody: 9003,
  plain: 9004,
  unknown: 9005,
  half: 9006,
  undeclared: 9007
} as const

/** Addresses of Services, which nobody has. */
const VIRTUAL = { ipv4: '10.99.0.77', ipv6: 'fd99::77' } as const
// Here there is somebody, who refuses what is not mutual TLS.
const LATE = OUTSIDE.ipv4

type Mark = 'mutual TLS' | 'plaintext' | 'gone'
interface Change {
  readonly http?: Mark
  readonly half?: Mark
  /** Another Service is there, and this is what it speaks. */
  readonly late?: Protocol
}

/** The mesh as the client knows it: headless Services whose ports have other numbers than those of their endpoint. */
function meshOf(root: Issuer, change: Change = {}): MeshState {
  const service = (name: string, protocol: Protocol, identities: readonly string[], addresses: string[] = []) =>
    newService({ name, addresses, ports: [{ number: 80, name: 'port', protocol }], identities: [...identities] })
  const at = (port: number, mark: Mark = 'mutual TLS', identity = SERVER) =>
    newEndpoints([
      {
        servicePort: 80,
        endpoints: (mark === 'gone' ? [] : [OUTSIDE.ipv4, OUTSIDE.ipv6]).map(address => ({
          address,
          port,
          mutualTls: mark === 'mutual TLS',
          identity: mark === 'mutual TLS' ? identity : ''
        }))
      }
    ])
  return newState({
    roots: [root],
    services: [
      service('http', Protocol.HTTP, [SERVER]),
      service('tcp', Protocol.TCP, [SERVER]),
      service('impostor', Protocol.TCP, [SOMEBODY_ELSE]),
      service('nobody', Protocol.TCP, []),
      service('plain', Protocol.HTTP, [SERVER]),
      service('half', Protocol.TCP, [SERVER]),
      service('undeclared', Protocol.UNSPECIFIED, [SERVER]),
      service('virtual', Protocol.HTTP, [SERVER], Object.values(VIRTUAL)),
      ...(change.late === undefined ? [] : [service('late', change.late, [SERVER], [LATE])])
    ],
    endpoints: {
      'shop/http': at(PORT.http, change.http),
      'shop/tcp': at(PORT.tcp),
      'shop/undeclared': at(PORT.undeclared),
      'shop/impostor': at(PORT.impostor, 'mutual TLS', SOMEBODY_ELSE),
      'shop/nobody': at(PORT.nobody),
      'shop/plain': at(PORT.plain, 'plaintext'),
      'shop/half': at(PORT.half, change.half ?? 'plaintext'),
      'shop/virtual': at(PORT.http, change.http),
      'shop/late': at(PORT.tcp)
    }
  })
}

for (const capture of ['nftables', 'iptables'])
  describe(`calls to the address of a pod, captured by ${capture},`, () => {
    let root: Issuer
    let program: Program
    let client: Namespace
    let server: Namespace
    let clientProxy: CapturedPod
    let serverProxy: CapturedPod
    before(async () => {
      program = new Program({ capture })
      await program.start()
      client = new Namespace()
      server = new Namespace()
      link(client.name, server.name, true)
      root = await newRoot()
      const newPod = async (account: string, addresses: string[], modes: Record<number, MutualTlsMode>) => ({
        workload: newWorkload({ uid: randomUUID(), name: account, addresses, mode: STRICT, portModes: modes }),
        svid: await newSvid(root, spiffeId('shop', account)),
        interception: { kind: 'redirect' } as const,
        probes: []
      })
      const serverPod = await newPod('orders', [OUTSIDE.ipv4, OUTSIDE.ipv6], {
        [PORT.plain]: DISABLE,
        [PORT.half]: PERMISSIVE
      })
      const clientPod = await newPod('storefront', [INSIDE.ipv4, INSIDE.ipv6], {})
      serverProxy = await startCapturedPod(server, program, meshOf(root), serverPod)
      clientProxy = await startCapturedPod(client, program, meshOf(root), clientPod)
      for (const port of Object.values(PORT)) await server.serve('::', port)
    })
    after(async () => {
      await client.close()
      await server.close()
      await clientProxy.close()
      await serverProxy.close()
      await program.close()
    })

    /** Connections to the addresses of pods of the account of the server. */
    const counted = (kind: 'http' | 'tcp' | 'undeclared'): Promise<number> =>
      clientProxy.stat(`cluster.direct/mesh.test/ns/shop/sa/orders/${kind}.upstream_cx_total`)
    const served = ({ by, error }: Answer): void => assert.deepEqual([by, error], ['app', undefined])
    const refused = ({ by }: Answer): void => assert.equal(by, undefined)

    for (const family of ['ipv4', 'ipv6'] as const) {
      const host = family === 'ipv4' ? OUTSIDE.ipv4 : `[${OUTSIDE.ipv6}]`
      const url = (port: number): string => `http://${host}:${port}/`
      const call = (port: number): Promise<Answer> => client.call(USER.application, url(port))

      for (const service of ['http', 'tcp', 'undeclared'] as const)
        it(`are mutual TLS where a Service of ${service} has it as an endpoint, over ${family}`, async () => {
          refused(await client.call(USER.proxy, url(PORT[service])))
          const earlier = await counted(service)
          const answer = await call(PORT[service])
          served(answer)
          assert.equal(answer.from, DELIVERY_SOURCE[family], 'delivered by the proxy of the server')
          assert.equal(answer.destination, `${OUTSIDE[family]}:${PORT[service]}`)
          assert.ok((await counted(service)) > earlier)
        })

      it(`have not replaced calls to the address of a Service, from other pods and from its own, over ${family}`, async () => {
        const virtual = family === 'ipv4' ? VIRTUAL.ipv4 : `[${VIRTUAL.ipv6}]`
        for (const caller of [client, server]) {
          const answer = await caller.call(USER.application, `http://${virtual}/`)
          served(answer)
          assert.ok(
            answer.from === DELIVERY_SOURCE.ipv4 || answer.from === DELIVERY_SOURCE.ipv6,
            'delivered by the proxy of the server'
          )
        }
      })

      it(`end where the pod has not the identity of the pod that holds the address, over ${family}`, async () => {
        refused(await call(PORT.impostor))
        assert.ok(
          (await clientProxy.stat('cluster.direct/mesh.test/ns/shop/sa/somebody-else/tcp.ssl.fail_verify_san')) > 0
        )
      })

      it(`end where nobody may serve the Service, over ${family}`, async () => {
        refused(await call(PORT.nobody))
      })

      it(`stay plaintext to an endpoint that has no mutual TLS, over ${family}`, async () => {
        const earlier = await counted('http')
        served(await call(PORT.plain))
        assert.equal(await counted('http'), earlier)
      })

      it(`to a port that is no endpoint are refused by a strict pod, over ${family}`, async () => {
        refused(await call(PORT.unknown))
      })

      it(`reach the caller itself without a proxy between, over ${family}`, async () => {
        const answer = await server.call(USER.application, url(PORT.http))
        served(answer)
        assert.equal(answer.from, OUTSIDE[family])
      })
    }

    it('that are open stay as they are when the endpoint becomes one with mutual TLS, and new ones have it', async () => {
      const url = `http://${OUTSIDE.ipv4}:${PORT.half}/`
      const open = await client.session(USER.application, url)
      const first = await open()
      served(first)
      const earlier = await counted('tcp')
      await clientProxy.update(meshOf(root, { half: 'mutual TLS' }))
      await eventually(async () => {
        served(await client.call(USER.application, url))
        return (await counted('tcp')) > earlier
      }, 'a new connection is mutual TLS')
      assert.deepEqual(await open(), first, 'the same connection')
    })

    it('that are open outlive the readiness of the pod, and of others', async () => {
      const sessions = await Promise.all(
        [PORT.http, PORT.tcp].map(port => client.session(USER.application, `http://${OUTSIDE.ipv4}:${port}/`))
      )
      const answers = () => Promise.all(sessions.map(next => next()))
      const first = await answers()
      for (const answer of first) served(answer)
      await clientProxy.update(meshOf(root, { http: 'gone' }))
      await eventually(
        async () => (await client.call(USER.application, `http://${OUTSIDE.ipv4}:${PORT.http}/`)).by === undefined,
        'a new connection finds no endpoint'
      )
      assert.equal(await clientProxy.stat('listener_manager.total_filter_chains_draining'), 0)
      assert.deepEqual(await answers(), first)
      await clientProxy.update(meshOf(root))
      await eventually(
        async () => (await client.call(USER.application, `http://${OUTSIDE.ipv4}:${PORT.http}/`)).by === 'app',
        'the endpoint is back'
      )
      assert.deepEqual(await answers(), first, 'the same connections')
    })

    it('that are open go on when a Service comes, changes what it speaks and goes, and it is led to while it is there', async () => {
      const session = await client.session(USER.application, `http://${OUTSIDE.ipv4}:${PORT.http}/`)
      const first = await session()
      served(first)
      const late = async (): Promise<string | undefined> => (await client.call(USER.application, `http://${LATE}/`)).by
      const httpConnections = () => clientProxy.stat('cluster.outbound/shop/late/80.upstream_cx_http1_total')
      await clientProxy.update(meshOf(root, { late: Protocol.TCP }))
      await eventually(async () => (await late()) === 'app', 'the new Service is led to')
      assert.deepEqual(await session(), first)
      assert.equal(await httpConnections(), 0)
      await clientProxy.update(meshOf(root, { late: Protocol.HTTP }))
      await eventually(async () => (await late()) === 'app' && (await httpConnections()) > 0, 'it is spoken to in HTTP')
      // Back before the chain that is going has ended.
      await clientProxy.update(meshOf(root))
      await clientProxy.update(meshOf(root, { late: Protocol.HTTP }))
      await eventually(async () => (await late()) === 'app', 'it is back')
      await clientProxy.update(meshOf(root))
      await eventually(async () => (await late()) === undefined, 'it is gone')
      await eventually(
        async () => (await clientProxy.stat('listener_manager.total_filter_chains_draining')) === 0,
        'its chain has ended'
      )
      assert.deepEqual(await session(), first, 'the same connection')
    })
  })
