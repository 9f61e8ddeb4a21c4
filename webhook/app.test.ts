import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { connect as connectTcp, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { connect, type TLSSocket } from 'node:tls'
import jsonPatch from 'fast-json-patch'
import { parse } from 'yaml'
import { parseOptions } from '../shared/config/index.ts'
import { CountersignError } from '../shared/errors/index.ts'
import { FakeApiServer } from '../shared/kube/api-server.test-support.ts'
import { eventually } from '../test/eventually.ts'
import { FakeClock } from '../test/fakes/clock.ts'
import { startWebhook, type Webhook } from './app.ts'
import { OwnCertificate } from './certificate/index.ts'
import { WEBHOOK_OPTIONS } from './options.ts'
import { recordingLogger } from './webhook.test-support.ts'

const HOUR = 3_600_000
const NAME = 'countersign-webhook.countersign-system.svc'
const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-webhook-'))
  closers.push(() => rmSync(folder, { recursive: true }))
  return folder
}

interface Running {
  readonly webhook: Webhook
  readonly clock: FakeClock
  readonly lines: readonly Record<string, unknown>[]
  /** The roots that the webhook publishes at this moment. */
  bundle(): string
  close(): Promise<void>
}

async function start(flags: readonly string[] = [], clock = new FakeClock(Date.now())): Promise<Running> {
  const bundleFile = join(temporaryFolder(), 'ca.pem')
  const { log, lines } = recordingLogger()
  const addresses = ['--listen-address=127.0.0.1:0', '--health-address=127.0.0.1:0', '--shutdown-delay=0s']
  const given = [...addresses, '--ca-bundle-file', bundleFile].filter(
    flag => !flags.some(other => other.split('=')[0] === flag.split('=')[0])
  )
  const webhook = await startWebhook(parseOptions(WEBHOOK_OPTIONS, [...given, ...flags], {}), log, clock)
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= (async () => {
      const closed = webhook.close()
      await clock.advance(0)
      await closed
    })()
    return closing
  }
  closers.push(close)
  return { webhook, clock, lines, bundle: () => readFileSync(bundleFile, 'utf8'), close }
}

interface Answer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly body: string
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever came back
  readonly json: () => any
}

interface Question {
  readonly path?: string
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
  readonly agent?: Agent
}

const JSON_TYPE = { 'content-type': 'application/json' }

async function ask(
  running: Running,
  { path = '/inject', method = 'POST', headers = JSON_TYPE, body, agent }: Question
): Promise<Answer> {
  const { port } = running.webhook.address
  const outgoing = request({
    host: '127.0.0.1',
    port,
    path,
    method,
    headers,
    servername: NAME,
    ca: running.bundle(),
    agent: agent ?? new Agent({ maxSockets: 1 })
  })
  outgoing.end(body)
  const [incoming] = await once(outgoing, 'response')
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString()
  return { status: incoming.statusCode, headers: incoming.headers, body: text, json: () => JSON.parse(text) }
}

const health = async ({ webhook }: Running, path: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${webhook.healthAddress.port}${path}`)

const POD = parse(`
apiVersion: v1
kind: Pod
metadata: { generateName: web-6d4cf56db6-, labels: { app: web } }
spec: { containers: [{ name: web, image: nginx, ports: [{ containerPort: 80, protocol: TCP }] }] }
`)

const POLICY = parse(`
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: shop }
spec: { mtls: { mode: STRICT } }
`)

function review(object: unknown, changes: Record<string, unknown> = {}): string {
  const kind = { group: '', version: 'v1', kind: 'Pod' }
  const asked = {
    uid: 'u-1',
    kind,
    operation: 'CREATE',
    namespace: 'shop',
    object,
    oldObject: null,
    dryRun: false,
    ...changes
  }
  return JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request: asked })
}

describe('the API server', () => {
  it('asks about a pod over TLS and gets the patch that injects it', async () => {
    const running = await start()
    const answer = await ask(running, { path: '/inject?timeout=5s', body: review(POD) })
    assert.equal(answer.status, 200)
    assert.match(String(answer.headers['content-type']), /^application\/json/)
    const { apiVersion, kind, response } = answer.json()
    assert.deepEqual([apiVersion, kind], ['admission.k8s.io/v1', 'AdmissionReview'])
    assert.deepEqual([response.uid, response.allowed, response.patchType], ['u-1', true, 'JSONPatch'])
    const patch = JSON.parse(Buffer.from(response.patch, 'base64').toString())
    const after = jsonPatch.applyPatch(structuredClone(POD), patch, true).newDocument
    assert.equal(after.spec.initContainers[0].name, 'countersign-proxy')
    assert.equal(after.spec.initContainers[0].image, 'envoyproxy/envoy:distroless-v1.40.0')
    assert.equal(after.spec.volumes[0].csi.driver, 'csi.countersign.dev')
    assert.deepEqual(after.spec.containers, POD.spec.containers)
  })

  it('is told why a pod is left alone, and a line of the log tells it as well', async () => {
    const running = await start()
    const pod = { ...POD, spec: { ...POD.spec, hostNetwork: true } }
    const { response } = (await ask(running, { body: review(pod) })).json()
    assert.deepEqual([response.allowed, response.patch], [true, undefined])
    assert.deepEqual(response.auditAnnotations, { outcome: 'skipped', reason: 'host-network' })
    assert.match(response.status.message, /^spec\.hostNetwork is true/)
    assert.match(response.warnings[0], /^the pod runs without a proxy/)
    const line = running.lines.find(({ msg }) => msg === 'reviewed')
    assert.deepEqual(
      [line?.['outcome'], line?.['reason'], line?.['namespace'], line?.['name'], line?.['room']],
      ['skipped', 'host-network', 'shop', 'web-6d4cf56db6-…', 'admission']
    )
  })

  it('is told everything that is wrong with a pod', async () => {
    const running = await start()
    const metadata = { annotations: { 'countersign.dev/proxy-cpu': 'x', 'countersign.dev/proxy-memroy': '1Gi' } }
    const { response } = (await ask(running, { body: review({ ...POD, metadata }) })).json()
    assert.equal(response.allowed, false)
    assert.deepEqual([response.status.code, response.status.reason], [422, 'Invalid'])
    assert.match(response.status.message, /proxy-cpu "x": expected .*; annotation .*did you mean "proxy-memory"/)
  })

  it('asks about a pod that wants certificates, and gets the patch that mounts them, or a sentence', async () => {
    const running = await start()
    const metadata = { ...POD.metadata, annotations: { 'countersign.dev/certificates': 'web' } }
    const pod = { metadata, spec: { ...POD.spec, serviceAccountName: 'web', securityContext: { fsGroup: 70 } } }
    const mount = async (object: unknown) =>
      (await ask(running, { path: '/certificates?timeout=5s', body: review(object) })).json().response
    const { allowed, patch } = await mount(pod)
    assert.equal(allowed, true)
    const operations = JSON.parse(Buffer.from(patch, 'base64').toString())
    const after = jsonPatch.applyPatch(structuredClone(pod), operations, true).newDocument
    assert.deepEqual(after.spec.volumes, [
      { name: 'countersign-certificates', secret: { secretName: 'countersign.web', defaultMode: 0o440 } }
    ])
    assert.deepEqual(after.spec.containers[0].volumeMounts, [
      { name: 'countersign-certificates', mountPath: '/var/run/secrets/countersign', readOnly: true }
    ])
    assert.deepEqual((await mount(after)).auditAnnotations, { outcome: 'skipped', reason: 'already-mounted' })

    metadata.annotations['countersign.dev/certificates'] = 'wbe'
    const { status } = await mount(pod)
    assert.deepEqual([status.code, status.reason], [422, 'Invalid'])
    assert.match(status.message, /of web; there is no container "wbe"; did you mean "web"$/)
    const metrics = await (await health(running, '/metrics')).text()
    for (const [outcome, reason] of [
      ['mounted', ''],
      ['skipped', 'already-mounted'],
      ['refused', 'invalid']
    ])
      assert.ok(metrics.includes(`_reviews_total{path="/certificates",outcome="${outcome}",reason="${reason}"} 1\n`))
  })

  it('asks about one pod twice, for its proxy and for its certificates, and each finds room beside the other', async () => {
    const running = await start()
    let pod = structuredClone(POD)
    pod.metadata.annotations = { 'countersign.dev/certificates': 'web' }
    for (const path of ['/certificates', '/inject']) {
      const { response } = (await ask(running, { path, body: review(pod) })).json()
      pod = jsonPatch.applyPatch(pod, JSON.parse(Buffer.from(response.patch, 'base64').toString()), true).newDocument
    }
    for (const path of ['/certificates', '/inject']) {
      const { response } = (await ask(running, { path, body: review(pod) })).json()
      assert.equal(response.auditAnnotations.outcome, 'skipped', path)
    }
    assert.deepEqual(
      pod.spec.volumes.map(({ name }: { name: string }) => name),
      ['countersign-certificates', 'countersign']
    )
  })

  it('asks about a policy, and is told the field that is wrong', async () => {
    const running = await start()
    const kind = { group: 'security.istio.io', version: 'v1', kind: 'PeerAuthentication' }
    const accepted = (await ask(running, { path: '/validate', body: review(POLICY, { kind }) })).json()
    assert.equal(accepted.response.allowed, true)
    const wrong = { ...POLICY, spec: { mtls: { mode: 'STRIKT' } } }
    const { response } = (await ask(running, { path: '/validate', body: review(wrong, { kind }) })).json()
    assert.equal(response.allowed, false)
    assert.match(response.status.message, /^spec\.mtls\.mode: .*did you mean "STRICT"$/)
  })

  it('asks many things at once over few connections, and every answer names its question', async () => {
    const running = await start()
    const agent = new Agent({ keepAlive: true, maxSockets: 4 })
    closers.push(() => agent.destroy())
    const uids = Array.from({ length: 100 }, (_, index) => `u-${index}`)
    const answers = await Promise.all(uids.map(uid => ask(running, { agent, body: review(POD, { uid }) })))
    assert.deepEqual(
      answers.map(answer => answer.json().response.uid),
      uids
    )
  })

  it('may send the largest object there is', async () => {
    const running = await start()
    const large = { ...POD, metadata: { annotations: { 'example.com/large': 'x'.repeat(3 * 1024 * 1024) } } }
    const answer = await ask(running, { body: review(large, { oldObject: large }) })
    assert.equal(answer.json().response.allowed, true)
  })

  it('does not name the proxy’s settings of this webhook by accident: options reach the pod', async () => {
    const running = await start([
      '--proxy-image=registry.test/envoy:1',
      '--excluded-namespaces=quiet',
      '--proxy-cpu-limit=4'
    ])
    const { response } = (await ask(running, { body: review(POD) })).json()
    const [{ value }] = JSON.parse(Buffer.from(response.patch, 'base64').toString())
    assert.equal(value[0].image, 'registry.test/envoy:1')
    assert.equal(value[0].resources.limits.cpu, '4')
    const quiet = (await ask(running, { body: review(POD, { namespace: 'quiet' }) })).json()
    assert.equal(quiet.response.auditAnnotations.reason, 'excluded-namespace')
    // Certificates are no matter of injection.
    const annotations = { 'countersign.dev/certificates': 'nobody' }
    const body = review({ ...POD, metadata: { annotations } }, { namespace: 'quiet' })
    assert.equal((await ask(running, { path: '/certificates', body })).json().response.allowed, false)
  })
})

describe('whoever asks wrongly', () => {
  const ERROR = 'ERR_ADMISSION_REVIEW_INVALID'
  const wrong: Readonly<Record<string, readonly [Question, number, string]>> = {
    'with another content type': [
      { headers: { 'content-type': 'text/plain' }, body: review(POD) },
      415,
      'content-type: expected application/json'
    ],
    'with a form': [
      { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'a=b' },
      415,
      'content-type: expected application/json'
    ],
    'without a content type': [{ headers: {}, body: review(POD) }, 415, 'content-type: expected application/json'],
    'without a body': [{}, 400, 'body: expected an AdmissionReview, got nothing'],
    'with half a body': [{ body: review(POD).slice(0, 50) }, 400, 'body: expected JSON'],
    'with text': [{ body: 'hello' }, 400, 'body: expected JSON'],
    'with bytes': [{ body: Buffer.from([0, 255, 254, 1]) }, 400, 'body: expected JSON'],
    'with a key that would poison an object': [{ body: '{"__proto__":{"request":{}}}' }, 400, 'body: expected JSON'],
    'with a list': [{ body: '[]' }, 400, 'body: expected object, got array'],
    'with null': [{ body: 'null' }, 400, 'body: expected object, got null'],
    'with lists in lists': [
      { body: '['.repeat(100_000) + ']'.repeat(100_000) },
      400,
      'body: expected object, got array'
    ],
    'in an older version': [
      { body: review(POD).replace('admission.k8s.io/v1', 'admission.k8s.io/v1beta1') },
      400,
      'apiVersion: expected admission.k8s.io/v1, got "admission.k8s.io/v1beta1"'
    ],
    'without an object': [{ body: review(undefined) }, 400, 'request.object: expected object, got nothing'],
    'about a pod without containers': [
      { body: review({ metadata: {}, spec: {} }) },
      400,
      'request.object.spec.containers: expected array, got nothing'
    ]
  }
  for (const [what, [question, status, message]] of Object.entries(wrong))
    it(`${what} gets ${status} and a sentence, and the next one is served`, async () => {
      const one = await start()
      const answer = await ask(one, question)
      assert.equal(answer.status, status)
      assert.deepEqual(answer.json(), { error: { code: ERROR, message } })
      assert.equal((await ask(one, { body: review(POD) })).status, 200)
    })

  for (const [what, question, status, message] of [
    ['at another path', { path: '/' }, 404, 'unknown path: expected one of /inject, /certificates, /validate'],
    [
      'at a path below',
      { path: '/inject/now', body: '{}' },
      404,
      'unknown path: expected one of /inject, /certificates, /validate'
    ],
    ['with another method', { method: 'GET', path: '/inject?timeout=5s' }, 405, 'expected POST, got GET'],
    ['with yet another method', { method: 'DELETE', path: '/validate' }, 405, 'expected POST, got DELETE']
  ] as const)
    it(`${what} gets ${status}`, async () => {
      const answer = await ask(await start(), question)
      assert.deepEqual([answer.status, answer.json()], [status, { error: { message } }])
    })

  it('with more than there can be is told so before it has sent it', async () => {
    const one = await start()
    const { port } = one.webhook.address
    const headers = { ...JSON_TYPE, 'content-length': 7 * 1024 * 1024 + 1 }
    const outgoing = request({
      host: '127.0.0.1',
      port,
      path: '/inject',
      method: 'POST',
      headers,
      servername: NAME,
      ca: one.bundle()
    })
    outgoing.flushHeaders()
    const [incoming] = await once(outgoing, 'response')
    assert.equal(incoming.statusCode, 413)
    const [body] = await once(incoming, 'data')
    assert.deepEqual(JSON.parse(String(body)), {
      error: { code: ERROR, message: 'body: expected at most 7340032 bytes' }
    })
    outgoing.on('error', () => undefined)
    outgoing.destroy()
    assert.equal((await ask(one, { body: review(POD) })).status, 200)
  })

  it('is counted and logged, without the body', async () => {
    const one = await start()
    await ask(one, { body: '{"apiVersion":"secret"}' })
    assert.match(
      await (await health(one, '/metrics')).text(),
      /countersign_webhook_bad_requests_total\{status="400"\} 1/
    )
    const line = one.lines.find(({ msg }) => msg === 'a request was turned away')
    assert.deepEqual([line?.['level'], line?.['path'], line?.['status']], ['info', '/inject', 400])
  })

  it('in plain HTTP, in TLS 1.2 or in noise finds no one, and the next one is served', async () => {
    const one = await start()
    const { port } = one.webhook.address
    for (const noise of ['POST /inject HTTP/1.1\r\nhost: a\r\n\r\n', '\x16\x03\x01\xff\xff\xff', '\0'.repeat(1_000)]) {
      const socket = connectTcp(port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.end(noise)
      socket.resume()
      await once(socket, 'close')
    }
    const old = connect({ port, host: '127.0.0.1', servername: NAME, ca: one.bundle(), maxVersion: 'TLSv1.2' })
    const [error] = await once(old, 'error')
    assert.match(String(error), /protocol version|ECONNRESET/)
    assert.equal((await ask(one, { body: review(POD) })).status, 200)
  })
})

describe('the serving certificate', () => {
  const serialOf = (socket: TLSSocket): string => socket.getPeerCertificate().serialNumber.toLowerCase()

  async function open(running: Running, ca: string): Promise<TLSSocket> {
    const { port } = running.webhook.address
    const socket = connect({ port, host: '127.0.0.1', servername: NAME, ca })
    closers.push(() => socket.destroy())
    await once(socket, 'secureConnect')
    return socket
  }

  /** One question on a connection that stays open. */
  async function askOn(socket: TLSSocket): Promise<string> {
    const body = review(POD)
    socket.write(
      `POST /inject HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
    )
    const [chunk] = await once(socket, 'data')
    return String(chunk).split('\r\n')[0] ?? ''
  }

  it('is replaced without a restart: open connections go on, new ones see the new one', async () => {
    const running = await start([], new FakeClock(Date.now() - 20 * HOUR))
    const ca = running.bundle()
    const before = await open(running, ca)
    assert.equal(await askOn(before), 'HTTP/1.1 200 OK')

    const replacements = (): number => running.lines.filter(({ msg }) => msg === 'serving certificate').length
    await running.clock.advance(16 * HOUR)
    await eventually(() => replacements() === 2, 'the replacement')

    const after = await open(running, ca)
    assert.notEqual(serialOf(after), serialOf(before))
    assert.equal(after.getProtocol(), 'TLSv1.3')
    for (const socket of [before, after, before]) assert.equal(await askOn(socket), 'HTTP/1.1 200 OK')
  })

  it('comes from a folder where one is given, and follows it', async () => {
    const folder = temporaryFolder()
    const given = async () => {
      const { log } = recordingLogger()
      const own = await OwnCertificate.create({
        dnsNames: [NAME],
        lifetimeMs: 24 * HOUR,
        clock: new FakeClock(Date.now()),
        log
      })
      own.close()
      const made = own.current()
      writeFileSync(join(folder, 'tls.crt'), made.certificate)
      writeFileSync(join(folder, 'tls.key'), made.privateKey.reveal())
      writeFileSync(join(folder, 'ca.crt'), made.caBundle ?? '')
      return made
    }
    const first = await given()
    const running = await start([`--certificate-folder=${folder}`])
    assert.equal(running.bundle(), first.caBundle)
    assert.equal(serialOf(await open(running, running.bundle())), first.serialNumber)
    const second = await given()
    await running.clock.advance(10_000)
    await eventually(() => running.bundle() === second.caBundle, 'the new bundle')
    assert.equal(serialOf(await open(running, running.bundle())), second.serialNumber)
  })

  it('tells when it ends, as a metric', async () => {
    const running = await start()
    const [, seconds] =
      /certificate_expiry_timestamp_seconds (\d+)/.exec(await (await health(running, '/metrics')).text()) ?? []
    assert.equal(Number(seconds), Math.floor((running.clock.now() + 24 * HOUR) / 1_000))
  })
})

describe('the health of the webhook', () => {
  it('is good as soon as it has started', async () => {
    const running = await start()
    for (const path of ['/livez', '/readyz']) assert.equal((await health(running, path)).status, 200)
  })

  it('counts reviews by path, outcome and reason, and measures them', async () => {
    const running = await start()
    await ask(running, { body: review(POD) })
    await ask(running, { body: review(POD, { namespace: 'kube-system' }) })
    await ask(running, { path: '/validate', body: review({ apiVersion: 'v1', kind: 'Pod' }) })
    const metrics = await (await health(running, '/metrics')).text()
    for (const line of [
      'countersign_webhook_reviews_total{path="/inject",outcome="injected",reason=""} 1',
      'countersign_webhook_reviews_total{path="/inject",outcome="skipped",reason="excluded-namespace"} 1',
      'countersign_webhook_reviews_total{path="/validate",outcome="refused",reason="unsupported"} 1',
      'countersign_webhook_review_duration_seconds_count{path="/inject"} 2'
    ])
      assert.ok(metrics.split('\n').includes(line), line)
    assert.match(metrics, /^process_cpu_seconds_total/m)
  })
})

describe('the end of the webhook', () => {
  it('is announced first: not ready, still answering, asking callers to connect elsewhere', async () => {
    const running = await start(['--shutdown-delay=2s'])
    const closed = running.webhook.close()
    const ready = await health(running, '/readyz')
    assert.deepEqual([ready.status, await ready.json()], [503, { ready: false, open: ['shutting down'] }])
    const answer = await ask(running, { body: review(POD) })
    assert.deepEqual([answer.status, answer.headers['connection']], [200, 'close'])
    await running.clock.advance(2_000)
    await closed
    await assert.rejects(ask(running, { body: review(POD) }))
    await assert.rejects(health(running, '/livez'))
    assert.equal(running.clock.pending, 0)
    closers.splice(closers.indexOf(running.close), 1)
  })

  it('closes idle connections', async () => {
    const running = await start()
    const agent = new Agent({ keepAlive: true })
    closers.push(() => agent.destroy())
    await ask(running, { agent, body: review(POD) })
    await running.close()
  })
})

describe('a start that fails', () => {
  for (const [flag, what] of [
    ['listen-address', 'the door'],
    ['health-address', 'the health server']
  ] as const)
    it(`because the address of ${what} is taken names the option, and leaves nothing open`, async () => {
      const taken = createServer().listen(0, '127.0.0.1')
      await once(taken, 'listening')
      closers.push(() => new Promise(resolve => taken.close(resolve)))
      const { port } = taken.address() as { port: number }
      const clock = new FakeClock()
      await assert.rejects(
        start([`--${flag}=127.0.0.1:${port}`], clock),
        (thrown: unknown) =>
          thrown instanceof CountersignError &&
          thrown.code === 'ERR_ADDRESS_UNUSABLE' &&
          thrown.message.includes(`(--${flag})`)
      )
      assert.equal(clock.pending, 0)
    })

  const together: Readonly<Record<string, readonly [readonly string[], string]>> = {
    'a request above its limit': [['--proxy-cpu=3'], '--proxy-cpu "3": expected at most the --proxy-cpu-limit, "2"'],
    'a drain time in parts of a second': [
      ['--proxy-drain-time=1500ms'],
      '--proxy-drain-time "1500ms": expected whole seconds'
    ],
    'no name for its certificate': [['--dns-names='], '--dns-names: expected at least one name']
  }
  for (const [what, [flags, message]] of Object.entries(together))
    it(`because of ${what} says so before anything is opened`, async () => {
      await assert.rejects(
        start(flags),
        (thrown: unknown) =>
          thrown instanceof CountersignError && thrown.code === 'ERR_OPTION_INVALID' && thrown.message === message
      )
    })

  it('because the folder of its certificate is empty says what is missing', async () => {
    await assert.rejects(start([`--certificate-folder=${temporaryFolder()}`]), /expected tls\.crt and tls\.key/)
  })
})

describe('the webhook on the Kubernetes API', () => {
  const MUTATING = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'
  const VALIDATING = '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations'

  it('is ready once the API server knows its roots, and is then trusted by them', async () => {
    const server = await FakeApiServer.start()
    closers.push(() => server.close())
    const running = await start(['--webhook-configuration=hooks', `--kubeconfig=${server.kubeconfig}`])
    assert.deepEqual(await (await health(running, '/readyz')).json(), { ready: false, open: ['registration'] })
    for (const kind of [MUTATING, VALIDATING])
      server.put(kind, { metadata: { name: 'hooks' }, webhooks: [{ name: 'a.countersign.dev', clientConfig: {} }] })
    await eventually(async () => {
      await running.clock.advance(100)
      return (await health(running, '/readyz')).ok
    }, 'readiness')
    const webhooks = server.find(MUTATING, 'hooks')?.['webhooks']
    const bundle = Buffer.from(running.bundle()).toString('base64')
    assert.deepEqual(webhooks, [{ name: 'a.countersign.dev', clientConfig: { caBundle: bundle } }])
    assert.equal((await ask(running, { body: review(POD) })).status, 200)
  })

  it('goes on answering while the API server is away', async () => {
    const server = await FakeApiServer.start()
    closers.push(() => server.close())
    for (const kind of [MUTATING, VALIDATING]) server.put(kind, { metadata: { name: 'hooks' }, webhooks: [] })
    const running = await start(['--webhook-configuration=hooks', `--kubeconfig=${server.kubeconfig}`])
    await eventually(async () => (await health(running, '/readyz')).ok, 'readiness')
    await server.stop()
    assert.equal((await ask(running, { body: review(POD) })).status, 200)
    assert.equal((await health(running, '/readyz')).status, 200)
  })

  it('warns the author of a policy which ports it closes, and lets it be stored while the API server is away', async () => {
    const server = await FakeApiServer.start()
    closers.push(() => server.close())
    for (const kind of [MUTATING, VALIDATING]) server.put(kind, { metadata: { name: 'hooks' }, webhooks: [] })
    server.put('/api/v1/pods', {
      metadata: { name: 'db-1', namespace: 'shop' },
      spec: {
        serviceAccountName: 'db',
        initContainers: [
          { name: 'countersign-proxy', restartPolicy: 'Always', volumeMounts: [{ name: 'countersign' }] }
        ],
        containers: [{ name: 'db', ports: [{ name: 'tcp', containerPort: 5432 }] }],
        volumes: [{ name: 'countersign', csi: { driver: 'csi.countersign.dev' } }]
      }
    })
    const running = await start(['--webhook-configuration=hooks', `--kubeconfig=${server.kubeconfig}`])
    const asked = review({
      apiVersion: 'countersign.dev/v1',
      kind: 'EndUserAuthentication',
      metadata: { name: 'p', namespace: 'shop' },
      spec: { issuer: 'https://a.test', audiences: ['web'] }
    })
    const closed = await ask(running, { path: '/validate', body: asked })
    assert.deepEqual(closed.json().response.warnings, [
      'port 5432 of selected pods is closed to callers unless exempt by spec.exemptPorts (declared TCP by port name "tcp" of a container)'
    ])
    await server.stop()
    const { allowed, warnings } = (await ask(running, { path: '/validate', body: asked })).json().response
    assert.equal(allowed, true)
    assert.match(warnings[0], /^the ports that the policy closes are not known: GET /)
  })

  it('refuses to register a certificate that somebody else makes, and a kubeconfig that it has no use for', async () => {
    const folder = temporaryFolder()
    await assert.rejects(start(['--webhook-configuration=hooks', `--certificate-folder=${folder}`]), {
      code: 'ERR_OPTION_INVALID',
      message: /--webhook-configuration.*--certificate-folder/
    })
    const file = join(folder, 'kubeconfig')
    writeFileSync(file, '')
    await assert.rejects(start([`--kubeconfig=${file}`]), { code: 'ERR_OPTION_INVALID', message: /--kubeconfig/ })
  })
})
