import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { CountersignError } from '../../shared/errors/index.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { recordingLogger } from '../webhook.test-support.ts'
import { CertificateFolder, OwnCertificate, type ServingCertificate } from './index.ts'

const POLL_MS = 10_000
const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'countersign-folder-'))
  closers.push(() => rmSync(made, { recursive: true }))
  return made
}

async function pair(now = Date.now()): Promise<ServingCertificate> {
  const { log } = recordingLogger()
  const own = await OwnCertificate.create({
    dnsNames: ['a.test'],
    lifetimeMs: 86_400_000,
    clock: new FakeClock(now),
    log
  })
  own.close()
  return own.current()
}

function write(into: string, { certificate, privateKey, caBundle = '' }: ServingCertificate): void {
  writeFileSync(join(into, 'tls.crt'), certificate)
  writeFileSync(join(into, 'tls.key'), privateKey.reveal())
  writeFileSync(join(into, 'ca.crt'), caBundle)
}

async function open(path: string, clock = new FakeClock(Date.now())) {
  const { log, lines } = recordingLogger()
  const source = await CertificateFolder.open({ folder: path, clock, log })
  closers.push(() => source.close())
  const complaints = () => lines.filter(({ level }) => level === 'error')
  /** Lets the folder be read once more. */
  const poll = async () => {
    await clock.advance(POLL_MS)
    await eventually(() => clock.pending === 1, 'the next poll to be set')
  }
  return { source, poll, complaints, clock }
}

describe('a certificate from a folder', () => {
  it('is what is in tls.crt, tls.key and ca.crt', async () => {
    const path = folder()
    const given = await pair()
    write(path, given)
    const { source } = await open(path)
    const { certificate, privateKey, caBundle, serialNumber, notAfter } = source.current()
    assert.deepEqual(
      [certificate, privateKey.reveal(), caBundle],
      [given.certificate, given.privateKey.reveal(), given.caBundle]
    )
    assert.deepEqual([serialNumber, notAfter], [given.serialNumber, given.notAfter])
  })

  it('needs no ca.crt', async () => {
    const path = folder()
    write(path, await pair())
    unlinkSync(join(path, 'ca.crt'))
    assert.equal((await open(path)).source.current().caBundle, undefined)
  })

  it('is replaced when its files are, and every listener hears of it once', async () => {
    const path = folder()
    write(path, await pair())
    const { source, poll } = await open(path)
    let heard = 0
    source.subscribe(() => {
      heard++
    })
    await poll()
    assert.equal(heard, 0)
    const second = await pair()
    write(path, second)
    await poll()
    await poll()
    assert.equal(heard, 1)
    assert.equal(source.current().serialNumber, second.serialNumber)
  })

  it('is replaced when the kubelet moves the link under a projected volume', async () => {
    const path = folder()
    const put = async (version: string): Promise<ServingCertificate> => {
      const given = await pair()
      mkdirSync(join(path, version))
      write(join(path, version), given)
      symlinkSync(version, join(path, '..data_tmp'))
      renameSync(join(path, '..data_tmp'), join(path, '..data'))
      return given
    }
    await put('..1')
    for (const name of ['tls.crt', 'tls.key', 'ca.crt']) symlinkSync(join('..data', name), join(path, name))
    const { source, poll } = await open(path)
    const second = await put('..2')
    await poll()
    assert.equal(source.current().serialNumber, second.serialNumber)
  })

  it('ends its polling with close', async () => {
    const path = folder()
    write(path, await pair())
    const { source, clock } = await open(path)
    source.close()
    assert.equal(clock.pending, 0)
  })
})

describe('a folder that is wrong', () => {
  const wrong: Readonly<Record<string, (path: string, one: ServingCertificate, other: ServingCertificate) => void>> = {
    'is empty': path => {
      for (const name of ['tls.crt', 'tls.key', 'ca.crt']) rmSync(join(path, name))
    },
    'has no key': path => unlinkSync(join(path, 'tls.key')),
    'has the key of another certificate': (path, _one, other) =>
      writeFileSync(join(path, 'tls.key'), other.privateKey.reveal()),
    'has no PEM as its certificate': path => writeFileSync(join(path, 'tls.crt'), 'hello'),
    'has half a certificate': (path, one) =>
      writeFileSync(join(path, 'tls.crt'), one.certificate.slice(0, one.certificate.length / 2)),
    'has an empty key': path => writeFileSync(join(path, 'tls.key'), ''),
    'has a folder as its bundle': path => {
      unlinkSync(join(path, 'ca.crt'))
      mkdirSync(join(path, 'ca.crt'))
    }
  }
  for (const [what, spoil] of Object.entries(wrong)) {
    it(`that ${what} stops the start, naming the folder`, async () => {
      const path = folder()
      const [one, other] = [await pair(), await pair()]
      write(path, one)
      spoil(path, one, other)
      await assert.rejects(
        open(path),
        (thrown: unknown) =>
          thrown instanceof CountersignError &&
          thrown.code === 'ERR_CERTIFICATE_INVALID' &&
          thrown.message.startsWith(`folder ${path}: expected tls.crt and tls.key`)
      )
    })

    it(`that later ${what} changes nothing, and is complained of once`, async () => {
      const path = folder()
      const [one, other] = [await pair(), await pair()]
      write(path, one)
      const { source, poll, complaints } = await open(path)
      spoil(path, one, other)
      await poll()
      await poll()
      assert.equal(source.current().serialNumber, one.serialNumber)
      assert.equal(complaints().length, 1)
    })
  }

  it('is complained of again when it was right in between', async () => {
    const path = folder()
    const given = await pair()
    write(path, given)
    const { poll, complaints } = await open(path)
    for (let time = 0; time < 2; time++) {
      unlinkSync(join(path, 'tls.key'))
      await poll()
      write(path, given)
      await poll()
    }
    assert.equal(complaints().length, 2)
  })

  it('is complained of when its certificate has expired, though it is still shown', async () => {
    const path = folder()
    const given = await pair(Date.now() - 2 * 86_400_000)
    write(path, given)
    const { source, complaints } = await open(path)
    assert.equal(source.current().serialNumber, given.serialNumber)
    assert.match(JSON.stringify(complaints()), /expired at/)
  })
})
