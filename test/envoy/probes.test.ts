// The kubelet's probes, which come in the clear to a pod that accepts mutual TLS alone.

import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Server } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { newRoot, newState, newSvid, newWorkload, spiffeId } from '../../agent/proxy/fixtures.test-support.ts'
import type { PodState } from '../../agent/proxy/index.ts'
import type { Probe } from '../../shared/probes/index.ts'
import { MutualTlsMode, Protocol } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  createRoot,
  generateKeyPair,
  privateKeyToPem,
  signCertificate,
  spkiOf,
  toPem
} from '../../shared/x509/index.ts'
import { freePort } from '../free-port.ts'
import { type Call, type CallOptions, call, open } from './calls.ts'
import { type ExplicitPod, startExplicitPod } from './explicit-pod.ts'
import { eventually } from './index.ts'

const POD = '127.83.9.1'
const APPLICATION = '127.83.9.101'
// What a kubelet sends with every probe.
const KUBELET = { 'user-agent': 'kube-probe/1.36', accept: '*/*', connection: 'close' }

/** What the application saw: the request line, and every header line in order. */
interface Asked {
  readonly method: string
  readonly url: string
  readonly headers: readonly (readonly [string, string])[]
}

describe('a probe of a pod that accepts mutual TLS alone', () => {
  let pod: ExplicitPod
  let podState: PodState
  let port = 0
  let status = 200
  let connections = 0
  const asked: Asked[] = []
  const servers: Server[] = []

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const { method = '', url = '', rawHeaders } = request
    const headers = rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name, rawHeaders[i + 1] ?? ''] as const] : []))
    asked.push({ method, url, headers })
    response.writeHead(status, { location: '/login', 'x-from': 'application' }).end(`status ${status}`)
  }
  const listening = (server: Server, at: number): Promise<void> => {
    servers.push(server)
    return new Promise((resolve, reject) => {
      server.once('error', reject)
      server.listen(at, APPLICATION, resolve)
    })
  }

  before(async () => {
    port = await freePort(POD)
    const [tlsPort, closedPort, root] = [await freePort(APPLICATION), await freePort(APPLICATION), await newRoot()]
    const plain = createServer(answer)
    plain.on('connection', () => connections++)
    await listening(plain, port)
    const life = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 3_600_000 }
    const { publicKey, privateKey } = await generateKeyPair()
    const unknown = await createRoot({ commonName: 'nobody knows', ...life })
    const leaf = signCertificate({ usage: 'workload', dnsNames: ['x'], ...life }, spkiOf(publicKey), unknown)
    const tls = { cert: toPem([leaf]), key: privateKeyToPem(privateKey) }
    await listening(createTlsServer(tls, answer), tlsPort)

    const probe = (container: string, kind: Probe['kind'], change: Partial<Probe> = {}): Probe => ({
      container,
      kind,
      port,
      path: '/',
      scheme: 'HTTP',
      headers: [],
      ...change
    })
    podState = {
      workload: newWorkload({
        addresses: [POD],
        mode: MutualTlsMode.STRICT,
        ports: [{ number: port, protocol: Protocol.HTTP }]
      }),
      svid: await newSvid(root, spiffeId('shop', 'orders')),
      interception: { kind: 'explicit', applicationAddress: APPLICATION },
      probes: [
        probe('orders', 'readiness', { path: '/ready' }),
        probe('orders', 'liveness', {
          path: '/live?deep=%20&all',
          host: 'orders.example',
          headers: [
            ['X-Probe', '100% %REQ(:path)% ü'],
            ['X-Probe', 'second'],
            ['X-Empty', ''],
            ['X-Forwarded-Proto', 'https'],
            ['User-Agent', 'mine'],
            ['Accept', '']
          ]
        }),
        probe('tls', 'startup', { scheme: 'HTTPS', port: tlsPort, path: '/tls' }),
        probe('closed', 'startup', { port: closedPort }),
        probe('loop', 'startup', { port: 15_020, path: '/app-health/loop/startup' })
      ]
    }
    pod = await startExplicitPod(newState({ roots: [root] }), podState)
  })
  after(async () => {
    await pod?.stop()
    for (const server of servers) await new Promise(resolve => server.close(resolve))
  })

  const ask = (path: string, options: Partial<CallOptions> = {}): Promise<Call> =>
    call({ address: POD, port: 15_020, path, headers: KUBELET, ...options })
  /** What the application sees of a probe. */
  const seen = async (path: string, options: Partial<CallOptions> = {}): Promise<Asked> => {
    asked.length = 0
    await ask(path, options)
    assert.equal(asked.length, 1)
    return asked[0] ?? assert.fail()
  }

  for (const code of [200, 204, 302, 404, 500, 503])
    it(`gets the answer of the application: ${code}`, async () => {
      status = code
      const answer = await ask('/app-health/orders/readiness')
      status = 200
      assert.equal(answer.status, code)
      assert.equal(answer.headers['x-from'], 'application')
      // Where a redirect leads is nothing that a kubelet could follow.
      assert.equal(answer.headers.location, undefined)
      if (code !== 204) assert.equal(answer.body, `status ${code}`)
    })

  it('asks what its author wrote: path, address and port, and what the kubelet sends', async () => {
    const { method, url, headers } = await seen('/app-health/orders/readiness')
    assert.deepEqual([method, url], ['GET', '/ready'])
    assert.deepEqual(
      headers.map(([name, value]) => [name.toLowerCase(), value]),
      [
        ['host', `${POD}:${port}`],
        ['user-agent', 'kube-probe/1.36'],
        ['accept', '*/*']
      ]
    )
  })

  it('asks what its author wrote: query, Host and headers, each as it is', async () => {
    const { url, headers } = await seen('/app-health/orders/liveness')
    assert.equal(url, '/live?deep=%20&all')
    const utf8 = (text: string): string => Buffer.from(text, 'latin1').toString()
    assert.deepEqual(headers.map(([name, value]) => [name.toLowerCase(), utf8(value)]).sort(), [
      ['host', 'orders.example'],
      ['user-agent', 'mine'],
      ['x-empty', ''],
      ['x-forwarded-proto', 'https'],
      ['x-probe', '100% %REQ(:path)% ü'],
      ['x-probe', 'second']
    ])
  })

  it('asks over TLS without knowing the certificate', async () => {
    assert.equal((await seen('/app-health/tls/startup')).url, '/tls')
    assert.equal((await ask('/app-health/tls/startup')).status, 200)
  })

  it('fails where nobody listens, and says so', async () => {
    const { status, body } = await ask('/app-health/closed/startup')
    assert.equal(status, 503)
    assert.match(
      body,
      /^countersign: the application does not accept connections at 127\.83\.9\.101:\d+: .*Connection_refused\n$/
    )
  })

  it('opens a connection of its own each time', async () => {
    const before = connections
    for (let n = 0; n < 3; n++) await ask('/app-health/orders/readiness')
    assert.equal(connections, before + 3)
  })

  for (const [what, path, method] of [
    ['another path', '/ready'],
    ['the root', '/'],
    ['a kind that the container does not have', '/app-health/orders/startup'],
    ['another container', '/app-health/other/readiness'],
    ['what comes after', '/app-health/orders/readiness/x'],
    ['a detour', '/app-health/orders/x/../readiness'],
    ['a query of the caller', '/app-health/orders/readiness?admin=1'],
    ['another method', '/app-health/orders/readiness', 'POST'],
    ['a probe of the port itself', '/app-health/loop/startup']
  ] as const)
    it(`asks nothing for ${what}`, async () => {
      asked.length = 0
      const answer = await ask(path, method === undefined ? {} : { method })
      assert.equal(answer.status, 404)
      assert.deepEqual(asked, [])
    })

  it('carries no identity and no header that steers the proxy, whoever asks', async () => {
    const { headers } = await seen('/app-health/orders/readiness', {
      headers: {
        'x-forwarded-client-cert': 'URI=spiffe://mesh.test/ns/shop/sa/admin',
        'x-envoy-original-dst-host': '127.0.0.1:1',
        'x-envoy-upstream-rq-timeout-ms': '1'
      }
    })
    assert.deepEqual(
      headers.map(([name]) => name.toLowerCase()).filter(name => /^x-/.test(name)),
      []
    )
  })

  it('opens nothing else: the port of the application refuses plaintext still', async () => {
    asked.length = 0
    const conversation = await open(POD, port)
    conversation.write('GET /ready HTTP/1.1\r\nhost: orders\r\n\r\n')
    assert.equal(await conversation.ended(), '')
    assert.deepEqual(asked, [])
  })

  it('is no longer answered when there are no probes', async () => {
    const root = await newRoot()
    await pod.update(newState({ roots: [root] }), { ...podState, probes: [] })
    await eventually(() => assert.rejects(ask('/app-health/orders/readiness'), { code: 'ECONNREFUSED' }))
  })
})
