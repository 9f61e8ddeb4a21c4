import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { connect, createServer } from 'node:tls'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { recordingLogger } from '../webhook.test-support.ts'
import { OwnCertificate, type ServingCertificate, type SharedRoots, type StoredRoot } from './index.ts'

const HOUR = 3_600_000
const LIFE = 24 * HOUR
const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function own(clock: FakeClock, dnsNames: readonly string[] = ['webhook.test.svc', 'localhost']) {
  const { log, lines } = recordingLogger()
  const source = await OwnCertificate.create({ dnsNames, lifetimeMs: LIFE, clock, log })
  closers.push(() => source.close())
  return { source, lines }
}

/** Moves the clock to just after the next replacement. */
async function replaced(source: OwnCertificate, clock: FakeClock, milliseconds: number): Promise<ServingCertificate> {
  const before = source.current()
  await clock.advance(milliseconds)
  await eventually(() => source.current() !== before, 'a replacement')
  // The next timer is set after the listeners were told.
  await eventually(() => clock.pending === 1, 'the next timer')
  return source.current()
}

const rootsOf = ({ caBundle = '' }: ServingCertificate): string[] =>
  caBundle.match(/-----BEGIN[\s\S]+?-----END CERTIFICATE-----\n/g) ?? []

/** Whether a real TLS 1.3 client that trusts `ca` accepts the certificate under the name. */
async function accepts(serving: ServingCertificate, ca: string, servername = 'webhook.test.svc'): Promise<boolean> {
  const server = createServer({ cert: serving.certificate, key: serving.privateKey.reveal(), minVersion: 'TLSv1.3' })
  server.on('tlsClientError', () => undefined)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', ca, servername })
  const accepted = await new Promise<boolean>(resolve => {
    client.once('secureConnect', () => resolve(true))
    client.once('error', () => resolve(false))
  })
  client.destroy()
  await new Promise(resolve => server.close(resolve))
  return accepted
}

describe('a serving certificate of its own', () => {
  it('is accepted by a TLS client that trusts its bundle, under each of its names and no other', async () => {
    const { source } = await own(new FakeClock(Date.now()))
    const serving = source.current()
    assert.ok(serving.caBundle !== undefined)
    assert.equal(await accepts(serving, serving.caBundle), true)
    assert.equal(await accepts(serving, serving.caBundle, 'localhost'), true)
    assert.equal(await accepts(serving, serving.caBundle, 'other.test.svc'), false)
  })

  it('is not accepted by one that trusts another webhook', async () => {
    const [one, other] = [await own(new FakeClock(Date.now())), await own(new FakeClock(Date.now()))]
    assert.equal(await accepts(one.source.current(), other.source.current().caBundle ?? ''), false)
  })

  it('is one that OpenSSL finds strictly right', async () => {
    const { source } = await own(new FakeClock(Date.now()))
    const folder = mkdtempSync(join(tmpdir(), 'countersign-own-'))
    closers.push(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'ca.pem'), source.current().caBundle ?? '')
    writeFileSync(join(folder, 'leaf.pem'), source.current().certificate)
    const options = ['-x509_strict', '-purpose', 'sslserver', '-verify_hostname', 'webhook.test.svc']
    const run = spawnSync('openssl', ['verify', ...options, '-CAfile', 'ca.pem', 'leaf.pem'], {
      cwd: folder,
      encoding: 'utf8'
    })
    assert.equal(run.status, 0, run.stderr)
  })

  it('is no authority, lives as long as it was told, and began a little earlier for clocks that are behind', async () => {
    const clock = new FakeClock()
    const { source } = await own(clock)
    const leaf = new X509Certificate(source.current().certificate)
    assert.equal(leaf.ca, false)
    assert.equal(leaf.validToDate.getTime(), clock.now() + LIFE)
    assert.equal(leaf.validFromDate.getTime(), clock.now() - 120_000)
    assert.equal(source.current().notAfter, clock.now() + LIFE)
    assert.equal(source.current().serialNumber, leaf.serialNumber.toLowerCase())
  })

  it('needs a name', async () => {
    await assert.rejects(own(new FakeClock(), []), TypeError)
  })

  it('never shows its key when it is printed or logged', async () => {
    const { source, lines } = await own(new FakeClock())
    assert.ok(!JSON.stringify([source.current(), lines]).includes('PRIVATE KEY'))
  })
})

describe('the replacement of a serving certificate', () => {
  it('comes at two thirds of its life, with another key and serial number, and every listener hears of it', async () => {
    const clock = new FakeClock()
    const { source } = await own(clock)
    let heard = 0
    const unsubscribe = source.subscribe(() => {
      heard++
    })
    const first = source.current()
    await clock.advance(16 * HOUR - 1)
    assert.equal(source.current(), first)
    const second = await replaced(source, clock, 1)
    assert.equal(heard, 1)
    assert.notEqual(second.serialNumber, first.serialNumber)
    assert.notEqual(second.privateKey.reveal(), first.privateKey.reveal())
    assert.equal(second.caBundle, first.caBundle)
    assert.equal(second.notAfter, first.notAfter + 16 * HOUR)
    unsubscribe()
    await replaced(source, clock, 16 * HOUR)
    assert.equal(heard, 1)
  })

  it('ends with close', async () => {
    const clock = new FakeClock()
    const { source } = await own(clock)
    const before = source.current()
    source.close()
    assert.equal(clock.pending, 0)
    await clock.advance(LIFE)
    assert.equal(source.current(), before)
  })

  it('waits a minute after a failure and keeps what is in use', async () => {
    // The clock goes mad for a moment: no certificate can be made for a time that no date holds.
    const clock = new FakeClock()
    let mad = false
    const moody = { now: () => (mad ? Number.NaN : clock.now()), after: clock.after.bind(clock) }
    const { log, lines } = recordingLogger()
    const source = await OwnCertificate.create({ dnsNames: ['a.test'], lifetimeMs: LIFE, clock: moody, log })
    closers.push(() => source.close())
    const before = source.current()
    mad = true
    await clock.advance(16 * HOUR)
    await eventually(() => lines.some(({ msg }) => msg === 'the serving certificate was not replaced'), 'the failure')
    assert.equal(source.current(), before)
    mad = false
    await eventually(() => clock.pending === 1, 'the retry to be set')
    await clock.advance(60_000)
    await eventually(() => source.current() !== before, 'the replacement')
  })
})

describe('the replacement of its root', () => {
  /** The second root was made when two thirds of the life of the first were over: twelve hours before real time. */
  async function inOverlap(): Promise<{ clock: FakeClock; source: OwnCertificate; first: ServingCertificate }> {
    const clock = new FakeClock(Math.floor(Date.now() / 1_000) * 1_000 - 12 * HOUR - 20 * LIFE)
    const { source } = await own(clock)
    const first = source.current()
    for (let time = 0; time < 30; time++) await replaced(source, clock, 16 * HOUR)
    return { clock, source, first }
  }

  it('publishes both while the old one signs, so that clients who know only the old one are still served', async () => {
    const { source, first } = await inOverlap()
    const current = source.current()
    const [old, young, ...more] = rootsOf(current)
    assert.equal(more.length, 0)
    assert.equal(old, first.caBundle)
    assert.equal(await accepts(current, first.caBundle ?? ''), true)
    assert.equal(await accepts(current, current.caBundle ?? ''), true)
    assert.equal(await accepts(current, young ?? ''), false)
  })

  it('then signs with the new one, which by then every client knows, and drops the old one a life later', async () => {
    const { clock, source } = await inOverlap()
    const overlapping = source.current()
    const renewed = await replaced(source, clock, 16 * HOUR)
    assert.equal(renewed.caBundle, overlapping.caBundle)
    const after = await replaced(source, clock, 8 * HOUR)
    const [, young = ''] = rootsOf(overlapping)
    assert.equal(after.caBundle, overlapping.caBundle)
    const alone = await replaced(source, clock, 16 * HOUR)
    assert.equal(alone.caBundle, overlapping.caBundle)
    const last = await replaced(source, clock, 8 * HOUR)
    assert.equal(last.caBundle, young)
    assert.equal(last.serialNumber, alone.serialNumber)
    const leaf = new X509Certificate(after.certificate)
    assert.ok(leaf.checkIssued(new X509Certificate(young)))
    assert.ok(leaf.verify(new X509Certificate(young).publicKey))
  })
})

/** Roots in memory, as an API server would keep them. */
class MemoryRoots implements SharedRoots {
  roots: readonly StoredRoot[] = []
  version = 0
  saves = 0

  async load() {
    return { roots: this.roots, version: this.version === 0 ? undefined : String(this.version) }
  }

  async save(roots: readonly StoredRoot[], version: string | undefined): Promise<boolean> {
    if (version !== (this.version === 0 ? undefined : String(this.version))) return false
    this.roots = roots
    this.version++
    this.saves++
    return true
  }
}

describe('replicas that share roots', () => {
  async function replicas(clock: FakeClock, count = 2) {
    const shared = new MemoryRoots()
    const { log, lines } = recordingLogger()
    const options = { dnsNames: ['webhook.test.svc'], lifetimeMs: LIFE, shared, clock, log }
    const sources = await Promise.all(Array.from({ length: count }, () => OwnCertificate.create(options)))
    closers.push(() => sources.map(source => source.close()))
    return { shared, sources, lines }
  }

  it('start together with one root, and each with a key of its own', async () => {
    const { shared, sources } = await replicas(new FakeClock(Date.now()), 5)
    const served = sources.map(source => source.current())
    assert.equal(shared.saves, 1)
    assert.equal(new Set(served.map(({ caBundle }) => caBundle)).size, 1)
    assert.equal(new Set(served.map(({ serialNumber }) => serialNumber)).size, 5)
    for (const serving of served) assert.equal(await accepts(serving, served[0]?.caBundle ?? ''), true)
  })

  it('never serve what the roots of any of them do not vouch for, through three generations', async () => {
    const clock = new FakeClock(Math.floor(Date.now() / 1_000) * 1_000)
    const { shared, sources } = await replicas(clock)
    const generations = new Set<string>()
    for (let step = 0; step < 50 * 4; step++) {
      await clock.advance(6 * HOUR)
      await Promise.all(sources.map(source => source.refresh()))
      for (const source of sources) {
        const leaf = new X509Certificate(source.current().certificate)
        assert.ok(leaf.validToDate.getTime() > clock.now())
        for (const { current } of sources.map(other => ({ current: other.current() }))) {
          const roots = rootsOf(current)
          for (const root of roots) generations.add(root)
          assert.ok(roots.length <= 2)
          assert.ok(roots.some(root => leaf.verify(new X509Certificate(root).publicKey)))
        }
      }
    }
    assert.equal(generations.size, 3)
    // One to begin with; then for each successor its making, and the end of the one before it.
    assert.equal(shared.saves, 5)
  })

  it('find the root that another one made within ten minutes', async () => {
    const clock = new FakeClock(Math.floor(Date.now() / 1_000) * 1_000)
    const { shared, sources } = await replicas(clock, 1)
    const [source] = sources
    const { shared: others } = await replicas(new FakeClock(clock.now()), 1)
    shared.roots = [...shared.roots, ...others.roots]
    await clock.advance(600_000)
    await eventually(() => rootsOf(source?.current() as ServingCertificate).length === 2, 'the other root')
  })

  it('put the roots back when somebody removes them', async () => {
    const clock = new FakeClock(Date.now())
    const { shared, sources } = await replicas(clock)
    const before = sources[0]?.current().caBundle
    shared.roots = []
    shared.version = 0
    await Promise.all(sources.map(source => source.refresh()))
    assert.equal(shared.roots.length, 1)
    assert.deepEqual(
      sources.map(source => source.current().caBundle),
      [before, before]
    )
  })

  it('keep what they serve while the roots cannot be read', async () => {
    const clock = new FakeClock(Date.now())
    const { shared, sources, lines } = await replicas(clock, 1)
    const before = sources[0]?.current()
    const load = shared.load.bind(shared)
    shared.load = () => Promise.reject(new Error('away'))
    await clock.advance(600_000)
    await eventually(() => lines.some(({ level }) => level === 'error'), 'the failure')
    assert.equal(sources[0]?.current(), before)
    shared.load = load
    await clock.advance(60_000)
    await assert.doesNotReject(sources[0]?.refresh() ?? Promise.reject())
  })
})
