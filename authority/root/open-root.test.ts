import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { CountersignError } from '../../shared/errors/index.ts'
import { parseTrustDomain, SpiffeId } from '../../shared/identity/index.ts'
import {
  createRoot,
  generateKeyPair,
  privateKeyToPem,
  signCertificate,
  spkiOf,
  toPem,
  verifySvid
} from '../../shared/x509/index.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { FileRootStore, openRoot, type RootPem, type RootStore } from './index.ts'

const trustDomain = parseTrustDomain('cluster.local')
const DAY = 86_400_000
const clock = new FakeClock()
const now = clock.now()
const settings = { trustDomain, clock }
const life = { notBefore: now - DAY, notAfter: now + DAY }

async function temporary(context: TestContext): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'countersign-root-'))
  context.after(() => rm(parent, { recursive: true }))
  return join(parent, 'state', 'root')
}

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777
const unusable = (error: unknown): boolean => error instanceof CountersignError && error.code === 'ERR_ISSUER_UNUSABLE'

const good = await createRoot({ ...life, commonName: 'good' })
const goodPem = toPem([good.certificate])
const goodKey = privateKeyToPem(good.privateKey)
const pair = await generateKeyPair()
const leaf = signCertificate({ ...life, usage: 'workload', dnsNames: ['x'] }, spkiOf(pair.publicKey), good)
const pem = (key: KeyObject): string => privateKeyToPem(key)
const lived =
  (notBefore: number, notAfter: number): (() => Promise<string>) =>
  async () => {
    const root = await createRoot({ commonName: 'x', notBefore, notAfter })
    return toPem([root.certificate]) + privateKeyToPem(root.privateKey)
  }

describe('opening the root', () => {
  it('makes one of ten years that signs for its trust domain', async context => {
    const root = await openRoot(new FileRootStore(await temporary(context)), settings)
    assert.equal(root.certificate.notAfter, now + 3_650 * DAY)
    assert.equal(root.certificate.notBefore, now - 60_000)
    assert.deepEqual(root.chain, [])
    const spiffeId = SpiffeId.workload(trustDomain, 'shop', 'cart')
    const { publicKey } = await generateKeyPair()
    const leaf = signCertificate({ ...life, notBefore: now, usage: 'workload', spiffeId }, spkiOf(publicKey), root)
    assert.ok(verifySvid([leaf], [{ trustDomain, roots: [root.certificate] }], now).equals(spiffeId))
  })

  it('makes one of the lifetime and the kind of key that are set', async context => {
    const store = new FileRootStore(await temporary(context))
    const root = await openRoot(store, { ...settings, lifetimeMs: 7 * DAY, algorithm: 'rsa-2048' })
    assert.equal(root.certificate.notAfter, now + 7 * DAY)
    assert.equal(root.privateKey.asymmetricKeyType, 'rsa')
  })

  it('gives the same one again', async context => {
    const folder = await temporary(context)
    const first = await openRoot(new FileRootStore(folder), settings)
    const second = await openRoot(new FileRootStore(folder), settings)
    assert.deepEqual(second.certificate.der, first.certificate.der)
    assert.ok(second.privateKey.equals(first.privateKey))
  })

  it('keeps it where nobody else can read it, and leaves nothing else behind', async context => {
    const folder = await temporary(context)
    await openRoot(new FileRootStore(folder), settings)
    assert.equal(await modeOf(folder), 0o700)
    assert.deepEqual(await readdir(folder), ['root.pem'])
    assert.equal(await modeOf(join(folder, 'root.pem')), 0o600)
  })

  it('gives one and the same to all who start together', async context => {
    const folder = await temporary(context)
    const opened = await Promise.all(Array.from({ length: 8 }, () => openRoot(new FileRootStore(folder), settings)))
    assert.equal(new Set(opened.map(({ certificate }) => certificate.serialNumber)).size, 1)
    assert.deepEqual(await readdir(folder), ['root.pem'])
  })

  it('gives what somebody else stored between the look and the store', async () => {
    const other = await createRoot({ ...life, commonName: 'other' })
    let kept: RootPem | undefined
    const store: RootStore = {
      location: 'a test',
      load: async () => kept,
      create: async () => {
        kept = { certificatePem: toPem([other.certificate]), keyPem: privateKeyToPem(other.privateKey) }
        return false
      }
    }
    const root = await openRoot(store, settings)
    assert.deepEqual(root.certificate.der, other.certificate.der)
  })

  it('refuses a store that neither has one nor takes one', async () => {
    const store: RootStore = { location: 'a test', load: async () => undefined, create: async () => false }
    await assert.rejects(openRoot(store, settings), unusable)
  })

  const damaged: Record<string, [RegExp, () => string | Promise<string>]> = {
    'an empty file': [/has no private key/, () => ''],
    'a certificate without a key': [/has no private key/, () => goodPem],
    'a key without a certificate': [/is damaged/, () => goodKey],
    'a certificate that is cut off': [/is damaged/, () => `${goodPem.slice(0, 100)}\n${goodKey}`],
    'a key that is cut off': [/is damaged/, () => goodPem + goodKey.slice(0, 100)],
    'the key of another': [
      /a key that is not that of its certificate/,
      () => goodPem + pem(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey)
    ],
    'two certificates': [/has 2 certificates/, () => goodPem + goodPem + goodKey],
    'the certificate of a leaf': [/not the certificate of an authority/, () => toPem([leaf]) + pem(pair.privateKey)],
    'a root that expired': [/expired at 2025-12-31/, lived(now - 2 * DAY, now - DAY)],
    'a root that is not valid yet': [/is not valid before 2026-01-02/, lived(now + DAY, now + 2 * DAY)]
  }
  for (const [what, [message, make]] of Object.entries(damaged))
    it(`refuses ${what}, names the place, and leaves it as it is`, async context => {
      const folder = await temporary(context)
      const path = join(folder, 'root.pem')
      const text = await make()
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await writeFile(path, text, { mode: 0o600 })
      await assert.rejects(openRoot(new FileRootStore(folder), settings), (error: unknown) => {
        assert.ok(unusable(error), String(error))
        assert.ok(error instanceof CountersignError)
        assert.match(error.message, message)
        assert.ok(error.message.includes(path))
        assert.ok(!error.message.includes('PRIVATE KEY'))
        return true
      })
      assert.equal(await readFile(path, 'utf8'), text)
      assert.deepEqual(await readdir(folder), ['root.pem'])
    })

  it('refuses a file that others can read', async context => {
    const folder = await temporary(context)
    await openRoot(new FileRootStore(folder), settings)
    await chmod(join(folder, 'root.pem'), 0o640)
    await assert.rejects(openRoot(new FileRootStore(folder), settings), /has mode 640: expected 600/)
  })

  it('refuses a folder that is a file', async context => {
    const folder = await temporary(context)
    await mkdir(join(folder, '..'), { recursive: true })
    await writeFile(folder, '')
    await assert.rejects(openRoot(new FileRootStore(folder), settings), unusable)
  })
})
