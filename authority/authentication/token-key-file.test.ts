import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { CountersignError } from '../../shared/errors/index.ts'
import { createLogger } from '../../shared/log/index.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { TokenKeyFile } from './index.ts'

const keysNamed = (...names: string[]): string => JSON.stringify({ keys: names.map(kid => ({ kty: 'EC', kid })) })

interface Opened {
  readonly path: string
  readonly clock: FakeClock
  readonly lines: readonly string[]
  readonly open: () => Promise<TokenKeyFile>
}

async function setUp(context: TestContext, name = 'keys.json'): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-keys-'))
  context.after(() => rm(folder, { recursive: true }))
  const path = join(folder, name)
  const clock = new FakeClock()
  const lines: string[] = []
  const log = createLogger('test', 'info', { write: line => lines.push(line) })
  const open = async (): Promise<TokenKeyFile> => {
    const file = await TokenKeyFile.open({ path, clock, log })
    context.after(() => file.close())
    return file
  }
  return { path, clock, lines, open }
}

const names = (file: TokenKeyFile): readonly unknown[] => file.current().keys.map(({ kid }) => kid)

describe('token keys in a file', () => {
  it('are there as soon as it is open', async context => {
    const { path, open } = await setUp(context)
    await writeFile(path, keysNamed('one', 'two'))
    assert.deepEqual(names(await open()), ['one', 'two'])
  })

  it('are replaced when the file is written', async context => {
    const { path, open } = await setUp(context)
    await writeFile(path, keysNamed('one'))
    const file = await open()
    await writeFile(path, keysNamed('two'))
    await eventually(() => names(file)[0] === 'two', 'the new keys')
  })

  it('are replaced when the file is renamed into place', async context => {
    const { path, open } = await setUp(context)
    await writeFile(path, keysNamed('one'))
    const file = await open()
    await writeFile(`${path}.new`, keysNamed('two'))
    await rename(`${path}.new`, path)
    await eventually(() => names(file)[0] === 'two', 'the new keys')
  })

  it('are replaced in the way that the kubelet replaces a ConfigMap', async context => {
    const { path, open } = await setUp(context)
    const folder = join(path, '..')
    for (const [version, name] of [
      ['..1', 'one'],
      ['..2', 'two']
    ] as const) {
      await mkdir(join(folder, version))
      await writeFile(join(folder, version, 'keys.json'), keysNamed(name))
    }
    await symlink('..1', join(folder, '..data'))
    await symlink('..data/keys.json', path)
    const file = await open()
    assert.deepEqual(names(file), ['one'])
    await symlink('..2', join(folder, '..data_tmp'))
    await rename(join(folder, '..data_tmp'), join(folder, '..data'))
    await eventually(() => names(file)[0] === 'two', 'the new keys')
  })

  it('stay the same object while nothing changes, so that imported keys are kept', async context => {
    const { path, open } = await setUp(context)
    await writeFile(path, keysNamed('one'))
    const file = await open()
    const before = file.current()
    await writeFile(path, keysNamed('one'))
    await file.refresh()
    assert.equal(file.current(), before)
  })

  const unusable: Record<string, string> = {
    'is empty': '',
    'is no JSON': '{"keys":',
    'is no JWKS': '{"items":[]}',
    'holds no key at all': '{"keys":[]}',
    'holds a key without a type': '{"keys":[{"kid":"one"}]}'
  }
  for (const [what, text] of Object.entries(unusable)) {
    it(`are not opened from a file that ${what}`, async context => {
      const { path, open } = await setUp(context)
      await writeFile(path, text)
      await assert.rejects(open(), (error: unknown) => {
        assert.ok(error instanceof CountersignError)
        assert.equal(error.code, 'ERR_FILE_INVALID')
        assert.ok(error.message.includes(path))
        return true
      })
    })

    it(`stay as they were when the file ${what}, and the log says so`, async context => {
      const { path, open, lines } = await setUp(context)
      await writeFile(path, keysNamed('one'))
      const file = await open()
      await writeFile(path, text)
      await eventually(() => lines.some(line => line.includes('keeping the last ones')), 'the complaint')
      assert.deepEqual(names(file), ['one'])
      await writeFile(path, keysNamed('two'))
      await eventually(() => names(file)[0] === 'two', 'the new keys')
    })
  }

  it('are not opened from a file that is not there', async context => {
    const { open } = await setUp(context)
    await assert.rejects(open(), { code: 'ERR_FILE_INVALID' })
  })

  it('stay as they were when the file goes away', async context => {
    const { path, open, lines } = await setUp(context)
    await writeFile(path, keysNamed('one'))
    const file = await open()
    await rm(path)
    await eventually(() => lines.some(line => line.includes('keeping the last ones')), 'the complaint')
    assert.deepEqual(names(file), ['one'])
  })

  it('are looked at when asked for, but not without end', async context => {
    const { path, open, lines, clock } = await setUp(context)
    await writeFile(path, keysNamed('one'))
    const file = await open()
    // No event comes after closing: from here on only refreshing reads.
    file.close()
    await rm(path)
    const complaints = (): number => lines.filter(line => line.includes('keeping the last ones')).length
    const before = complaints()
    for (let time = 0; time < 20; time++) await file.refresh()
    assert.equal(complaints() - before, 5)
    await writeFile(path, keysNamed('two'))
    await file.refresh()
    assert.deepEqual(names(file), ['one'])
    await clock.advance(10_000)
    await file.refresh()
    assert.deepEqual(names(file), ['two'])
  })
})
