import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { afterEach, describe, it } from 'node:test'
import { pino } from 'pino'
import { Gauge, Registry } from 'prom-client'
import { CountersignError } from '../errors/index.ts'
import { Readiness } from '../lifecycle/index.ts'
import { createHealthServer, type HealthServer, type HealthServerOptions } from './index.ts'

const log = pino({ level: 'silent' })
const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function serve(options: Partial<HealthServerOptions> = {}): Promise<HealthServer> {
  const server = await createHealthServer({
    address: { host: '127.0.0.1', port: 0 },
    readiness: new Readiness(log),
    registry: new Registry(),
    log,
    ...options
  })
  closers.push(() => server.close())
  return server
}

async function get(server: HealthServer, path: string, method = 'GET'): Promise<{ status: number; body: string }> {
  const response = await fetch(`http://127.0.0.1:${server.address.port}${path}`, { method })
  return { status: response.status, body: await response.text() }
}

describe('/readyz', () => {
  it('is 200 when nothing is owed', async () => {
    const { status, body } = await get(await serve(), '/readyz')
    assert.equal(status, 200)
    assert.deepEqual(JSON.parse(body), { ready: true, open: [] })
  })

  it('is 503 and lists what is owed by name, until all of it is paid, and again when something is owed anew', async () => {
    const readiness = new Readiness(log)
    const certificate = readiness.owe('serving certificate')
    const state = readiness.owe('mesh state')
    const server = await serve({ readiness })
    assert.deepEqual(await get(server, '/readyz'), {
      status: 503,
      body: '{"ready":false,"open":["serving certificate","mesh state"]}'
    })
    certificate.pay()
    assert.deepEqual(await get(server, '/readyz'), { status: 503, body: '{"ready":false,"open":["mesh state"]}' })
    state.pay()
    assert.equal((await get(server, '/readyz')).status, 200)
    readiness.owe('shutting down')
    assert.equal((await get(server, '/readyz')).status, 503)
  })
})

describe('/livez', () => {
  it('is 200 even while the program is not ready: a restart would not help', async () => {
    const readiness = new Readiness(log)
    readiness.owe('something')
    assert.deepEqual(await get(await serve({ readiness }), '/livez'), { status: 200, body: '{"live":true}' })
  })

  it('is 503 when the program says that only a restart helps', async () => {
    assert.deepEqual(await get(await serve({ live: () => false }), '/livez'), { status: 503, body: '{"live":false}' })
  })
})

describe('/metrics', () => {
  it('is the registry in the text format of Prometheus', async () => {
    const registry = new Registry()
    new Gauge({ name: 'countersign_test', help: 'A value.', registers: [registry] }).set(7)
    const server = await serve({ registry })
    const response = await fetch(`http://127.0.0.1:${server.address.port}/metrics`)
    assert.equal(response.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
    assert.match(await response.text(), /^countersign_test 7$/m)
  })

  it('tells nothing of an error but that there was one', async () => {
    const registry = new Registry()
    const broken = (): never => {
      throw new Error('secret inside')
    }
    new Gauge({ name: 'countersign_test', help: 'A value.', registers: [registry], collect: broken })
    const answer = await get(await serve({ registry }), '/metrics')
    assert.deepEqual(answer, { status: 500, body: '{"error":"internal error"}' })
  })
})

describe('anything else', () => {
  for (const [what, path, method] of [
    ['an unknown path', '/healthz', 'GET'],
    ['the root', '/', 'GET'],
    ['another method', '/readyz', 'POST'],
    ['a path above the root', '/../livez/..', 'GET']
  ] as const)
    it(`is 404 and lists what there is: ${what}`, async () => {
      const { status, body } = await get(await serve(), path, method)
      assert.equal(status, 404)
      assert.deepEqual(JSON.parse(body).paths, ['/livez', '/readyz', '/metrics'])
    })

  it('that cannot be decoded is 400', async () => {
    assert.equal((await get(await serve(), '/%zz')).status, 400)
  })
})

describe('an address', () => {
  it('that is taken is refused with the option that sets it', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => taken.once('listening', resolve))
    closers.push(() => new Promise(resolve => taken.close(() => resolve())))
    const { port } = taken.address() as { port: number }
    await assert.rejects(
      serve({ address: { host: '127.0.0.1', port } }),
      (thrown: unknown) =>
        thrown instanceof CountersignError &&
        thrown.code === 'ERR_ADDRESS_UNUSABLE' &&
        thrown.message.startsWith(`cannot listen on 127.0.0.1:${port} (--health-address): `)
    )
  })

  it('that is not of this machine is refused, by the name of another option where there is one', async () => {
    await assert.rejects(
      serve({ address: { host: '192.0.2.1', port: 0 }, flag: 'metrics-address' }),
      /--metrics-address/
    )
  })

  it('is free again after close, though a client keeps its connection open', async () => {
    const server = await createHealthServer({
      address: { host: '127.0.0.1', port: 0 },
      readiness: new Readiness(log),
      registry: new Registry(),
      log
    })
    await get(server, '/livez')
    await server.close()
    const again = await serve({ address: server.address })
    assert.equal((await get(again, '/livez')).status, 200)
  })
})
