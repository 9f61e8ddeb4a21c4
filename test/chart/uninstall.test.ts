import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, describe, it } from 'node:test'
import { createRoot, generateKeyPair, privateKeyToPem, signCertificate, toPem } from '../../shared/x509/index.ts'
import { CHART } from './helm.ts'

const SCRIPT = join(CHART, 'files/uninstall.mjs')
const DAY_MS = 86_400_000

interface Answer {
  readonly status?: number
  readonly body?: object
}

interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const pod = (namespace: string, name: string, driver: string | undefined, phase = 'Running'): object => ({
  metadata: { namespace, name },
  spec: { volumes: [{ name: 'other' }, ...(driver === undefined ? [] : [{ name: 'countersign', csi: { driver } }])] },
  status: { phase }
})
const OURS = 'csi.countersign.dev'
const page = (items: readonly object[], next?: string): Answer => ({
  body: { items, metadata: next === undefined ? {} : { continue: next } }
})

describe('the script that helm uninstall runs', () => {
  let folder = ''
  let server: Server
  let asked: string[] = []
  let answers: Record<string, Answer> = {}

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-uninstall-'))
    const now = Date.now()
    const root = await createRoot({ commonName: 'test', notBefore: now - DAY_MS, notAfter: now + DAY_MS })
    const { privateKey, publicKey } = await generateKeyPair()
    const spki = publicKey.export({ type: 'spki', format: 'der' })
    const certificate = signCertificate(
      { dnsNames: ['localhost'], notBefore: now - DAY_MS, notAfter: now + DAY_MS / 2, usage: 'workload' },
      spki,
      root
    )
    writeFileSync(join(folder, 'ca.crt'), toPem([root.certificate]))
    writeFileSync(join(folder, 'token'), 'the-token\n')
    server = createServer({ key: privateKeyToPem(privateKey), cert: toPem([certificate]) }, (request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization}`)
      const { status = 200, body = {} } = answers[`${request.method} ${request.url}`] ?? { status: 404 }
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
    server.listen(0, 'localhost')
    await once(server, 'listening')
  })
  after(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
    rmSync(folder, { recursive: true })
  })
  beforeEach(() => {
    asked = []
    answers = {}
  })

  async function run(args: readonly string[], extra: NodeJS.ProcessEnv = {}): Promise<Outcome> {
    const env = {
      KUBERNETES_SERVICE_HOST: 'localhost',
      KUBERNETES_SERVICE_PORT: String((server.address() as AddressInfo).port),
      TOKEN_FILE: join(folder, 'token'),
      NODE_EXTRA_CA_CERTS: join(folder, 'ca.crt'),
      ...extra
    }
    const child = spawn(process.execPath, [SCRIPT, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', text => {
        output[name] += text
      })
    const [code] = await once(child, 'close')
    return { code, ...output }
  }

  const FIRST = 'GET /api/v1/pods?limit=500&continue='

  it('lets go when no pod has a volume of ours, and says nothing', async () => {
    answers = {
      [FIRST]: page([pod('a', 'plain', undefined), pod('a', 'other', 'csi.example')], 'x y'),
      'GET /api/v1/pods?limit=500&continue=x%20y': page([
        pod('a', 'done', OURS, 'Succeeded'),
        pod('a', 'dead', OURS, 'Failed')
      ])
    }
    assert.deepEqual(await run(['check']), { code: 0, stdout: '', stderr: '' })
    assert.equal(asked.length, 2)
    assert.match(asked[0] ?? '', /Bearer the-token$/)
  })

  it('refuses while pods have one, on whatever page, and says which and what to do', async () => {
    const many = Array.from({ length: 7 }, (_, index) => pod('shop', `orders-${index}`, OURS))
    answers = {
      [FIRST]: page(many, 'next'),
      'GET /api/v1/pods?limit=500&continue=next': page([pod('bank', 'vault', OURS, 'Pending')])
    }
    const { code, stderr } = await run(['check'])
    assert.equal(code, 3)
    assert.match(stderr, /^Countersign is not uninstalled: 8 pods have a proxy\./)
    assert.match(stderr, / {2}bank: vault\n {2}shop: orders-0, orders-1, orders-2, orders-3, orders-4 and 2 more\n/)
    assert.match(stderr, /kubectl label namespace shop countersign\.dev\/inject-\n/)
    assert.match(stderr, /kubectl rollout restart deployment,statefulset,daemonset --namespace bank\n/)
  })

  it('says it of one pod in the singular', async () => {
    answers = { [FIRST]: page([pod('shop', 'one', OURS)]) }
    assert.match((await run(['check'])).stderr, /: 1 pod has a proxy\./)
  })

  const failures: Readonly<Record<string, Answer>> = {
    'may not look': { status: 403, body: { message: 'pods is forbidden' } },
    'finds no list': { status: 404 },
    'finds the list gone half-way': { status: 410, body: { message: 'continue is too old' } },
    'finds a server in trouble': { status: 500 },
    'is answered with something else': { body: {} }
  }
  for (const [what, answer] of Object.entries(failures))
    it(`fails, and does not let go, when it ${what}`, async () => {
      answers = { [FIRST]: answer }
      const { code, stderr } = await run(['check'])
      assert.equal(code, 1)
      assert.notEqual(stderr, '')
    })

  it('fails when the server is not the one that it trusts', async () => {
    const { code, stderr } = await run(['check'], { NODE_EXTRA_CA_CERTS: '' })
    assert.equal(code, 1)
    assert.match(stderr, /certificate/)
    assert.deepEqual(asked, [], 'no token was shown')
  })

  it('deletes what it is told, and takes what is gone for deleted', async () => {
    answers = { 'DELETE /a': {} }
    assert.deepEqual(await run(['delete', '/a', '/b']), {
      code: 0,
      stdout: '/a: deleted\n/b: is not there\n',
      stderr: ''
    })
  })

  it('fails when it may not delete', async () => {
    answers = { 'DELETE /a': { status: 403, body: { message: 'forbidden' } } }
    const { code, stderr } = await run(['delete', '/a'])
    assert.equal(code, 1)
    assert.match(stderr, /DELETE \/a: 403: .*forbidden/)
  })

  it('refuses any other word', async () => {
    const { code, stderr } = await run(['remove'])
    assert.deepEqual([code, stderr], [1, 'expected check or delete, got remove\n'])
  })
})
