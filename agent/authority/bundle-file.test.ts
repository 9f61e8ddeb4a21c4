import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { SpiffeId } from '../../shared/identity/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import { generateKeyPair, spkiOf, toPem } from '../../shared/x509/index.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeIssuer } from '../../test/fakes/authority.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { BundleFile } from './index.ts'

const clock = new FakeClock()
const first = await FakeIssuer.create({ clock })
const second = await FakeIssuer.create({ clock })
const leaf = first.certify(
  SpiffeId.workload(first.trustDomain, 'shop', 'cart'),
  spkiOf((await generateKeyPair()).publicKey)
)

describe('the trust bundle file', () => {
  let folder: string
  let path: string
  let lines: string[]
  let file: BundleFile

  const open = (): BundleFile => {
    const destination = new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk))
        done()
      }
    })
    file = new BundleFile({
      path,
      trustDomain: first.trustDomain,
      clock,
      log: createLogger('test', 'info', destination)
    })
    file.start()
    return file
  }
  const serials = (): readonly string[] | undefined => file.current()?.roots.map(({ serialNumber }) => serialNumber)
  const serialsOf = (...issuers: readonly FakeIssuer[]): string[] =>
    issuers.flatMap(({ bundle }) => bundle.roots.map(({ serialNumber }) => serialNumber))
  const pemOf = (...issuers: readonly FakeIssuer[]): string => toPem(issuers.flatMap(({ bundle }) => bundle.roots))
  const changed = async (change: () => void): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const unsubscribe = file.subscribe(resolve)
    change()
    await promise
    unsubscribe()
  }
  const until = (condition: () => boolean): Promise<void> => eventually(condition, () => lines.join(''))

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-bundle-'))
    path = join(folder, 'bundle.pem')
    lines = []
  })
  afterEach(() => {
    file.close()
    rmSync(folder, { recursive: true })
  })

  it('is known at once when it is there', () => {
    writeFileSync(path, `# the roots of the mesh\n${pemOf(first)}`)
    open()
    assert.deepEqual(serials(), serialsOf(first))
    assert.equal(file.current()?.trustDomain, 'mesh.test')
  })

  it('is followed when it is written later and when it is replaced', async () => {
    open()
    assert.equal(file.current(), undefined)
    await changed(() => writeFileSync(path, pemOf(first)))
    assert.deepEqual(serials(), serialsOf(first))
    await changed(() => {
      writeFileSync(`${path}.new`, pemOf(first, second))
      renameSync(`${path}.new`, path)
    })
    assert.deepEqual(serials(), serialsOf(first, second))
  })

  it('is followed in a projected volume, where a link to a folder is what changes', async () => {
    for (const [version, issuer] of [
      ['..1', first],
      ['..2', second]
    ] as const) {
      mkdirSync(join(folder, version))
      writeFileSync(join(folder, version, 'bundle.pem'), pemOf(issuer))
    }
    symlinkSync('..1', join(folder, '..data'))
    symlinkSync('..data/bundle.pem', path)
    open()
    assert.deepEqual(serials(), serialsOf(first))
    await changed(() => {
      symlinkSync('..2', join(folder, '..data_tmp'))
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    })
    assert.deepEqual(serials(), serialsOf(second))
  })

  it('is looked at again at intervals where its folder cannot be watched', async () => {
    path = join(folder, 'later', 'bundle.pem')
    open()
    assert.match(lines.join(''), /cannot be watched/)
    mkdirSync(join(folder, 'later'))
    writeFileSync(path, pemOf(first))
    await clock.advance(10_000)
    assert.deepEqual(serials(), serialsOf(first))
    await changed(() => writeFileSync(path, pemOf(second)))
  })

  const damages: Record<string, string> = {
    'is empty': '',
    'is no PEM': 'not a certificate',
    'is cut off': pemOf(first, second).slice(0, -100),
    'holds a certificate of a workload': toPem(leaf),
    'holds what is no certificate': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
  }
  for (const [title, content] of Object.entries(damages))
    it(`stays as it was when the file ${title}, which is said once`, async () => {
      writeFileSync(path, pemOf(first))
      open()
      writeFileSync(path, content)
      await until(() => lines.some(line => line.includes('ERR_FILE_INVALID')))
      await clock.advance(60_000)
      assert.deepEqual(serials(), serialsOf(first))
      // A file that is written in place may be seen empty first, which is another complaint.
      const said = lines.map(line => JSON.parse(line)).filter(({ level }) => level === 'error')
      assert.equal(new Set(said.map(({ err }) => err.message)).size, said.length)
      await changed(() => writeFileSync(path, pemOf(second)))
      assert.deepEqual(serials(), serialsOf(second))
    })

  it('stays as it was when the file is gone', async () => {
    writeFileSync(path, pemOf(first))
    open()
    rmSync(path)
    await until(() => lines.some(line => line.includes('ERR_FILE_INVALID')))
    assert.deepEqual(serials(), serialsOf(first))
  })

  it('is not told of when it was written anew with the same content', async () => {
    writeFileSync(path, pemOf(first))
    open()
    let told = 0
    file.subscribe(() => {
      told += 1
    })
    const before = file.current()
    writeFileSync(`${path}.new`, pemOf(first))
    renameSync(`${path}.new`, path)
    await clock.advance(30_000)
    assert.equal(told, 0)
    assert.equal(file.current(), before)
  })
})
