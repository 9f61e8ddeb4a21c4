import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { systemClock } from '../../shared/clock/index.ts'
import { SpiffeId } from '../../shared/identity/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import { generateKeyPair, privateKeyToPem, spkiOf } from '../../shared/x509/index.ts'
import { FakeIssuer } from '../../test/fakes/authority.ts'
import { StateFolder, type StoredSvid } from './index.ts'

const issuer = await FakeIssuer.create({ clock: systemClock })
const spiffeId = SpiffeId.workload(issuer.trustDomain, 'shop', 'cart')
const svid = await makeSvid()

async function makeSvid(): Promise<StoredSvid> {
  const { privateKey, publicKey } = await generateKeyPair()
  const issuedAt = Date.UTC(2026, 5, 1, 12, 30, 15, 123)
  return { spiffeId, chain: issuer.certify(spiffeId, spkiOf(publicKey)), privateKey, issuedAt }
}

describe('the folder of state', () => {
  let base = ''
  let path = ''
  let lines: string[] = []
  const log = createLogger(
    'test',
    'info',
    new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk))
        done()
      }
    })
  )
  const open = (): StateFolder => new StateFolder(path, log)
  const identity = (name = 'pod-1.json'): string => join(path, 'identities', name)

  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'countersign-state-'))
    path = join(base, 'state')
    lines = []
  })
  afterEach(() => rmSync(base, { recursive: true }))

  it('is made, with its folders, for nobody else', () => {
    const state = open()
    for (const folder of [path, state.volumes, join(path, 'identities')])
      assert.equal(statSync(folder).mode & 0o777, 0o700, folder)
  })

  for (const mode of [0o755, 0o750, 0o701, 0o720])
    it(`is refused with mode 0${mode.toString(8)}, and the message says how to mend it`, () => {
      mkdirSync(join(path, 'volumes'), { recursive: true })
      chmodSync(path, mode)
      assert.throws(open, {
        code: 'ERR_STATE_FOLDER_UNSAFE',
        message: `state folder ${path} has mode 0${mode.toString(8)}, expected 0700: mend it with \`chmod 0700 ${path}\``
      })
    })

  it('is closed to others where it was made for it and is still empty, as the kubelet does', () => {
    mkdirSync(path)
    chmodSync(path, 0o755)
    open()
    assert.equal(statSync(path).mode & 0o777, 0o700)
  })

  it('is refused when a folder in it is open to others', () => {
    open().identities.file('pod-1').save(svid)
    chmodSync(join(path, 'identities'), 0o755)
    assert.throws(open, { code: 'ERR_STATE_FOLDER_UNSAFE', message: /identities has mode 0755/ })
  })

  it('is refused when it cannot be made', () => {
    writeFileSync(path, 'a file')
    assert.throws(open, { code: 'ERR_STATE_FOLDER_UNSAFE', message: /choose another with --state/ })
  })

  it('loses what a crash left of a write', () => {
    open()
    const remains = [identity('.pod-1.json.0123456789ab.tmp'), join(path, '.mesh.bin.0123456789ab.tmp')]
    for (const file of remains) writeFileSync(file, 'half a k')
    open()
    assert.deepEqual(remains.filter(existsSync), [])
  })

  it('gives an SVID back as it was saved, in a file of mode 0600', () => {
    open().identities.file('pod-1').save(svid)
    assert.equal(statSync(identity()).mode & 0o777, 0o600)
    const loaded = open().identities.file('pod-1').load()
    assert.ok(loaded)
    assert.ok(loaded.spiffeId.equals(spiffeId))
    assert.ok(loaded.privateKey.equals(svid.privateKey))
    assert.equal(loaded.issuedAt, svid.issuedAt)
    assert.deepEqual(
      loaded.chain.map(({ der }) => der.toString('hex')),
      svid.chain.map(({ der }) => der.toString('hex'))
    )
    assert.deepEqual(lines, [])
  })

  it('keeps the SVID of the agent apart from those of pods', () => {
    open().agent.save(svid)
    assert.equal(open().identities.file('agent').load(), undefined)
    assert.ok(open().agent.load())
    assert.ok(existsSync(join(path, 'agent.json')))
  })

  it('knows of which pods it keeps something, usable or not', () => {
    const { identities } = open()
    identities.file('pod-1').save(svid)
    identities.file('pod-2').save(svid)
    writeFileSync(identity('pod-2.json'), '', { mode: 0o600 })
    writeFileSync(identity('..json'), '')
    assert.equal(identities.file('pod-2').load(), undefined)
    assert.deepEqual([...identities.owners()].sort(), ['pod-1', 'pod-2'])
    identities.file('pod-2').forget()
    assert.deepEqual(identities.owners(), ['pod-1'])
  })

  for (const uid of ['', '.', '..', '../agent', 'a/b', '.hidden', 'a.', 'a'.repeat(129), 'a\0b'])
    it(`never makes a file name of the pod UID ${JSON.stringify(uid.slice(0, 12))}`, () => {
      assert.throws(() => open().identities.file(uid), TypeError)
    })

  describe('sets an SVID aside and treats it as absent when', () => {
    const change = (edit: (content: Record<string, unknown>) => void) => (): void => {
      const content = JSON.parse(readFileSync(identity(), 'utf8'))
      edit(content)
      writeFileSync(identity(), JSON.stringify(content))
    }
    const cases: Record<string, () => void | Promise<void>> = {
      'the file is empty': () => writeFileSync(identity(), ''),
      'the file is cut off': () => writeFileSync(identity(), readFileSync(identity()).subarray(0, -20)),
      'the file is not JSON': () => writeFileSync(identity(), Buffer.from([0xff, 0x00, 0x7b])),
      'the file is a list': () => writeFileSync(identity(), '[]'),
      'its version is not known': change(content => Object.assign(content, { version: 2 })),
      'it was made for another pod': change(content => Object.assign(content, { owner: 'pod-2' })),
      'a field is missing': change(content => delete content['issuedAt']),
      'a field is unknown': change(content => Object.assign(content, { extra: true })),
      'its time is none': change(content => Object.assign(content, { issuedAt: 'yesterday' })),
      'its name is not a SPIFFE ID': change(content => Object.assign(content, { spiffeId: 'spiffe://x' })),
      'its name is not that of the certificate': change(content =>
        Object.assign(content, { spiffeId: 'spiffe://mesh.test/ns/shop/sa/admin' })
      ),
      'its chain is no PEM': change(content => Object.assign(content, { chain: 'x' })),
      'its key is no PEM': change(content => Object.assign(content, { privateKey: 'x' })),
      'its key is not that of the certificate': async () => {
        const { privateKey } = await generateKeyPair()
        change(content => Object.assign(content, { privateKey: privateKeyToPem(privateKey) }))()
      },
      'others can read it': () => chmodSync(identity(), 0o644)
    }
    for (const [title, damage] of Object.entries(cases))
      it(title, async () => {
        const file = open().identities.file('pod-1')
        file.save(svid)
        await damage()
        assert.equal(file.load(), undefined)
        assert.equal(existsSync(identity()), false)
        assert.ok(existsSync(identity('pod-1.json.corrupt')))
        assert.equal(lines.length, 1)
        const line = JSON.parse(lines[0] ?? '')
        assert.equal(line.err.code, 'ERR_STATE_CORRUPT')
        assert.equal(line.level, 'error')
        assert.doesNotMatch(lines[0] ?? '', /PRIVATE KEY|MI[GI]H/)
        assert.equal(file.load(), undefined)
        assert.equal(lines.length, 1, 'what is set aside is not reported again')
        file.forget()
        assert.equal(existsSync(identity('pod-1.json.corrupt')), false)
      })
  })

  describe('mesh state', () => {
    const bytes = Buffer.from('any bytes\0at all')
    const asIs = (content: Uint8Array): Buffer => Buffer.from(content)
    const file = (): string => join(path, 'mesh.bin')

    it('comes back as it went in', () => {
      open().mesh.save(bytes)
      assert.deepEqual(open().mesh.load(asIs), bytes)
      open().mesh.save(Buffer.alloc(0))
      assert.deepEqual(open().mesh.load(asIs), Buffer.alloc(0))
    })

    it('is absent at first, which is no problem', () => {
      assert.equal(open().mesh.load(asIs), undefined)
      assert.deepEqual(lines, [])
    })

    const damages: Record<string, (content: Buffer) => Buffer> = {
      'is empty': () => Buffer.alloc(0),
      'is cut off in its head': content => content.subarray(0, 20),
      'is cut off in its content': content => content.subarray(0, -1),
      'is longer than it was': content => Buffer.concat([content, Buffer.from('x')]),
      'has another magic': content => Buffer.concat([Buffer.from('X'), content.subarray(1)]),
      'has another format version': content => content.fill(9, 6, 8),
      'has a bit that is wrong': content => content.fill((content.at(-1) ?? 0) ^ 1, content.length - 1)
    }
    for (const [title, damage] of Object.entries(damages))
      it(`is set aside when the file ${title}`, () => {
        open().mesh.save(bytes)
        writeFileSync(file(), damage(readFileSync(file())))
        assert.equal(open().mesh.load(asIs), undefined)
        assert.ok(existsSync(`${file()}.corrupt`))
        assert.match(lines.join(''), /ERR_STATE_CORRUPT/)
      })

    it('is set aside when its reader does not accept it', () => {
      open().mesh.save(bytes)
      const refuse = (): never => {
        throw new Error('not what was expected')
      }
      assert.equal(open().mesh.load(refuse), undefined)
      assert.ok(existsSync(`${file()}.corrupt`))
    })
  })
})
