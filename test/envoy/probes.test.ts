// The kubelet's probes, which come in the clear to a pod that accepts mutual TLS alone.

import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { newRoot, newState, newSvid, newWorkload, spiffeId } from '../../agent/proxy/fixtures.test-support.ts'
import type { PodState } from '../../agent/proxy/index.ts'
import type { HttpProbe, Probe } from '../../shared/probes/index.ts'
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
import { type Application, type HealthAnswer, startHealthApplication, startTcpApplication } from './applications.ts'
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

    const probe = (container: string, kind: Probe['kind'], change: Partial<HttpProbe> = {}): Probe => ({
      container,
      kind,
      protocol: 'http',
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

describe('probes and hooks of other kinds, of a pod that accepts mutual TLS alone', () => {
  const ADDRESS = '127.83.9.2'
  const BESIDE = '127.83.9.102'
  let pod: ExplicitPod
  let tcpPort = 0
  let grpcPort = 0
  let httpPort = 0
  const asked: Asked[] = []
  let answer = (response: ServerResponse): void => void response.end()
  let health: HealthAnswer = {}
  const questions: (readonly [service: string, headers: Readonly<Record<string, unknown>>])[] = []
  const applications: Application[] = []
  const http = createServer(({ method = '', url = '', rawHeaders }, response) => {
    const headers = rawHeaders.flatMap((name, i) => (i % 2 === 0 ? [[name, rawHeaders[i + 1] ?? ''] as const] : []))
    asked.push({ method, url, headers })
    answer(response)
  })

  before(async () => {
    const ports = []
    for (let n = 0; n < 4; n++) ports.push(await freePort(ADDRESS, BESIDE))
    const [tcp = 0, grpc = 0, plain = 0, closed = 0] = ports
    tcpPort = tcp
    grpcPort = grpc
    httpPort = plain
    await new Promise<void>(resolve => http.listen(httpPort, BESIDE, resolve))
    applications.push(
      await startHealthApplication(BESIDE, grpcPort, (service, headers) => {
        questions.push([service, headers])
        return health
      })
    )
    const root = await newRoot()
    const hook = (kind: 'postStart' | 'preStop', container: string, change: Partial<HttpProbe> = {}): Probe => ({
      container,
      kind,
      protocol: 'http',
      port: httpPort,
      path: '/hook?a=1',
      scheme: 'HTTP',
      headers: [
        ['X-Hook', '100%'],
        ['User-Agent', '']
      ],
      ...change
    })
    const grpcProbe = (container: string, port: number, service: string): Probe => ({
      container,
      kind: 'liveness',
      protocol: 'grpc',
      port,
      service
    })
    pod = await startExplicitPod(newState({ roots: [root] }), {
      workload: newWorkload({
        addresses: [ADDRESS],
        mode: MutualTlsMode.STRICT,
        ports: [{ number: tcpPort, protocol: Protocol.TCP }]
      }),
      svid: await newSvid(root, spiffeId('shop', 'orders')),
      interception: { kind: 'explicit', applicationAddress: BESIDE },
      probes: [
        { container: 'db', kind: 'readiness', protocol: 'tcp', port: tcpPort },
        grpcProbe('rpc', grpcPort, ''),
        grpcProbe('named', grpcPort, `käse.${'x'.repeat(300)}`),
        grpcProbe('closed', closed, ''),
        grpcProbe('http1', httpPort, ''),
        hook('postStart', 'web'),
        hook('preStop', 'web', { host: 'web.example' }),
        hook('postStart', 'closed', { port: closed }),
        hook('preStop', 'closed', { scheme: 'HTTPS' }),
        { ...hook('preStop', 'web'), container: 'web', kind: 'readiness' }
      ]
    })
  })
  after(async () => {
    await pod?.stop()
    for (const application of applications) await application.stop()
    await new Promise(resolve => http.close(resolve))
  })

  const ask = (path: string, options: Partial<CallOptions> = {}): Promise<Call> =>
    call({ address: ADDRESS, port: 15_020, path, headers: KUBELET, ...options })

  describe('tcpSocket', () => {
    const probe = '/app-health/db/readiness'

    it('is asked at the moment: fails, succeeds, and fails again with the application', async () => {
      const refused = /^countersign: the application does not accept connections at 127\.83\.9\.102:\d+: .*refused\n$/
      for (let round = 0; round < 3; round++) {
        const dead = await ask(probe)
        assert.equal(dead.status, 503)
        assert.match(dead.body, refused)
        const application = await startTcpApplication(BESIDE, tcpPort)
        const alive = await ask(probe)
        await application.stop()
        assert.deepEqual([alive.status, alive.body], [200, 'countersign: the application accepts connections\n'])
      }
    })

    /** An application that speaks first, keeps what it hears, and never closes. */
    const listen = async (read: Buffer[], use: (closed: () => number) => Promise<void>): Promise<void> => {
      let closed = 0
      const sockets = new Set<Socket>()
      const server = createTcpServer({ allowHalfOpen: true }, socket => {
        sockets.add(socket)
        socket.on('error', () => {})
        socket.on('data', part => read.push(part))
        // Only who has closed altogether, and not merely said all, resets what comes then.
        socket.on('end', () => socket.write('more'))
        socket.on('close', () => closed++)
        socket.write('s3cret greeting')
      })
      await new Promise<void>(resolve => server.listen(tcpPort, BESIDE, resolve))
      try {
        await use(() => closed)
      } finally {
        for (const socket of sockets) socket.destroy()
        await new Promise(resolve => server.close(resolve))
      }
    }

    it('says and hears nothing, whatever the application says, and closes what it opened', async () => {
      const read: Buffer[] = []
      await listen(read, async closed => {
        const { status, body, headers } = await ask(probe)
        assert.equal(status, 200)
        assert.equal(`${body}${JSON.stringify(headers)}`.includes('s3cret'), false)
        assert.equal(headers.location, undefined)
        await eventually(() => assert.equal(closed(), 1))
      })
      assert.deepEqual(read, [])
    })

    const intrusions: Readonly<Record<string, string>> = {
      'a body': `GET ${probe} HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nattack`,
      'a body in parts': `GET ${probe} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n6\r\nattack\r\n0\r\n\r\n`,
      'an upgrade': `GET ${probe} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: tcp\r\n\r\nattack`,
      'a tunnel': 'CONNECT x:1 HTTP/1.1\r\nhost: x:1\r\n\r\nattack',
      'another method': `POST ${probe} HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\nattack`
    }
    for (const [what, request] of Object.entries(intrusions))
      it(`is no way in for ${what}`, async () => {
        const read: Buffer[] = []
        await listen(read, async closed => {
          const conversation = await open(ADDRESS, 15_020)
          conversation.write(request)
          const said = await conversation.received('\r\n\r\n')
          assert.match(said, /^HTTP\/1\.1 (404|403|400) /)
          conversation.close()
          // What comes after has been through: nothing was left on its way.
          const { status } = await ask(probe)
          assert.equal(status, 200)
          await eventually(() => assert.equal(closed(), 1))
        })
        assert.deepEqual(read, [])
      })

    it('connects nobody who has not ended the body of a request', async () => {
      const read: Buffer[] = []
      await listen(read, async closed => {
        const conversation = await open(ADDRESS, 15_020)
        conversation.write(`GET ${probe} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n6\r\nattack\r\n`)
        const { status } = await ask(probe)
        assert.equal(status, 200)
        await eventually(() => assert.equal(closed(), 1))
        conversation.close()
      })
      assert.deepEqual(read, [])
    })

    it('has a success that cannot be asked for', async () => {
      for (const headers of [{}, { 'x-envoy-connected': 'yes' }]) {
        const { status } = await ask('/app-health', { headers })
        assert.equal(status, 404)
      }
    })
  })

  describe('grpc', () => {
    const probe = '/app-health/rpc/liveness'

    it('succeeds where the server says SERVING, asked as by the kubelet', async () => {
      health = { state: 1, grpcStatus: '0' }
      questions.length = 0
      const { status, body, headers } = await ask(probe)
      assert.deepEqual([status, body], [200, 'countersign: the application says SERVING\n'])
      assert.deepEqual(
        Object.keys(headers).filter(name => name.startsWith('grpc')),
        []
      )
      const [[service, seen = {}] = []] = questions
      assert.equal(service, '')
      assert.partialDeepStrictEqual(seen, {
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Check',
        ':authority': `${ADDRESS}:${grpcPort}`,
        'content-type': 'application/grpc',
        te: 'trailers',
        'user-agent': 'kube-probe/1.36'
      })
      assert.deepEqual(
        Object.keys(seen).filter(name => /^(accept|x-)/.test(name)),
        []
      )
    })

    it('asks for the service that its author named', async () => {
      health = { state: 1, grpcStatus: '0' }
      questions.length = 0
      assert.equal((await ask('/app-health/named/liveness')).status, 200)
      assert.deepEqual(
        questions.map(([service]) => service),
        [`käse.${'x'.repeat(300)}`]
      )
    })

    const refusals: Readonly<Record<string, readonly [HealthAnswer, string]>> = {
      'says NOT_SERVING': [{ state: 2, grpcStatus: '0' }, 'the application says NOT_SERVING'],
      'says UNKNOWN': [{ state: 0, grpcStatus: '0' }, 'the application says UNKNOWN'],
      'says SERVICE_UNKNOWN': [{ state: 3, grpcStatus: '0' }, 'the application says SERVICE_UNKNOWN'],
      'says what does not exist': [{ state: 9, grpcStatus: '0' }, 'the application says nothing of its health'],
      'says nothing': [{ grpcStatus: '0' }, 'the application says nothing of its health'],
      'does not know the service': [{ grpcStatus: '5' }, 'the application answers with the gRPC status 5'],
      'has no health to ask for': [{ grpcStatus: '12' }, 'the application answers with the gRPC status 12'],
      'says SERVING and fails': [{ state: 1, grpcStatus: '13' }, 'the application answers with the gRPC status 13'],
      'says SERVING and no status': [{ state: 1 }, 'the application answers with the gRPC status that is missing']
    }
    for (const [what, [given, sentence]] of Object.entries(refusals))
      it(`fails where the server ${what}`, async () => {
        health = given
        const { status, body } = await ask(probe)
        assert.deepEqual([status, body], [503, `countersign: ${sentence}\n`])
      })

    for (const [what, given] of [
      ['is another kind of server', { state: 1, grpcStatus: '0', contentType: 'text/html' }],
      ['redirects', { state: 1, grpcStatus: '0', httpStatus: 302 }],
      ['answers without content', { grpcStatus: '0', httpStatus: 204 }]
    ] as const)
      it(`fails where the server ${what}`, async () => {
        health = given
        assert.equal((await ask(probe)).status, 503)
      })

    it('fails where nobody listens, and where nobody speaks HTTP/2', async () => {
      const closed = await ask('/app-health/closed/liveness')
      assert.equal(closed.status, 503)
      assert.match(closed.body, /^countersign: the application does not accept connections/)
      assert.equal((await ask('/app-health/http1/liveness')).status, 503)
    })
  })

  describe('hooks', () => {
    for (const status of [200, 404, 500, 503])
      it(`get the answer of the application: ${status}`, async () => {
        answer = response => void response.writeHead(status, { location: '/next' }).end('done')
        const { headers, ...rest } = await ask('/app-health/web/postStart')
        assert.deepEqual(rest, { status, body: 'done' })
        assert.equal(headers.location, undefined)
      })

    it('ask what their author wrote: path, Host and headers', async () => {
      answer = response => void response.end()
      for (const [kind, host] of [
        ['postStart', `${ADDRESS}:${httpPort}`],
        ['preStop', 'web.example']
      ]) {
        asked.length = 0
        await ask(`/app-health/web/${kind}`, { headers: { ...KUBELET, 'user-agent': 'kube-lifecycle/1.36' } })
        assert.deepEqual(
          asked.map(({ method, url, headers }) => [
            method,
            url,
            headers.map(([name, value]) => `${name.toLowerCase()}: ${value}`)
          ]),
          [['GET', '/hook?a=1', [`host: ${host}`, 'accept: */*', 'x-hook: 100%']]]
        )
      }
    })

    // Of an answer, whatever it is, the kubelet makes a success; of a redirect that cannot be read a failure.
    const failures: Readonly<Record<string, readonly [path: string, answer?: (response: ServerResponse) => void]>> = {
      'nobody listens': ['/app-health/closed/postStart'],
      'the application does not speak TLS, as it should': ['/app-health/closed/preStop'],
      'the application ends the connection instead of an answer': [
        '/app-health/web/postStart',
        response => response.destroy()
      ],
      'the application answers what is not HTTP': [
        '/app-health/web/preStop',
        response => response.socket?.end('s3cret: no HTTP\r\n\r\n')
      ]
    }
    for (const [what, [path, given]] of Object.entries(failures))
      it(`fail where ${what}`, async () => {
        if (given) answer = given
        const { status, headers, body } = await ask(path)
        assert.equal(status, 302)
        assert.match(headers.location ?? '', /^countersign:\/\/no answer from 127\.83\.9\.102:\d+$/)
        assert.match(body, /^countersign: the application does not answer: .*\n$/)
      })

    it('leave probes of the same container their own answer', async () => {
      answer = response => response.destroy()
      assert.equal((await ask('/app-health/web/readiness')).status, 503)
    })
  })
})
