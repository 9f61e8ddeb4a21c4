import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { appendFile, mkdir, mkdtemp, rename, rm, symlink, truncate, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { FakeClock } from '../../../test/fakes/clock.ts'
import { systemClock } from '../../clock/index.ts'
import { createLogger } from '../../log/index.ts'
import { checkFolder, FolderSource } from './folder-source.ts'
import { formatProblem } from './problem.ts'
import { LARGEST_FILE_BYTES } from './read-file.ts'

const namespace = (name: string) => `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${name}\n`
const DEADLINE_MS = 30_000

async function folder(t: TestContext, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'countersign-folder-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text)
  return path
}

interface Line {
  readonly level: string
  readonly msg: string
  readonly file?: string
  readonly line?: number
  readonly column?: number
  readonly field?: string
  readonly problem?: string
}

/** A source with a clock that stands still and no watches: it looks when it is told to. */
async function still(t: TestContext, path: string) {
  const lines: Line[] = []
  const log = createLogger('test', 'debug', { write: text => void lines.push(JSON.parse(text)) })
  const clock = new FakeClock()
  const source = await FolderSource.open({ path, clock, log, watch: false })
  t.after(() => source.close())
  return { source, clock, lines }
}

/** A source as it is used. */
async function watching(t: TestContext, path: string): Promise<FolderSource> {
  const source = await FolderSource.open({ path, clock: systemClock, log: createLogger('test', 'fatal') })
  t.after(() => source.close())
  return source
}

const names = (source: FolderSource) => source.current().namespaces.map(({ name }) => name)
const problems = (source: FolderSource, path: string) =>
  source.problems().map(problem => formatProblem(problem).replaceAll(`${path}/`, ''))

async function until(source: FolderSource, expected: readonly string[]): Promise<void> {
  const isThere = () => JSON.stringify(names(source)) === JSON.stringify(expected)
  const deadline = Date.now() + DEADLINE_MS
  while (!isThere()) {
    assert.ok(Date.now() < deadline, `expected namespaces ${expected}, got ${names(source)}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

test('all manifests are read, in folders below too, and nothing else', async t => {
  const path = await folder(t, {
    'a.yaml': namespace('a'),
    'b.yml': namespace('b'),
    'c.json': JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'c' } }),
    'd.txt': 'not a manifest: [',
    'e.yaml~': 'kind: [',
    '.f.yaml': 'kind: ['
  })
  await mkdir(join(path, 'below', 'further'), { recursive: true })
  await writeFile(join(path, 'below', 'further', 'g.YAML'), namespace('g'))
  const { source } = await still(t, path)
  assert.deepEqual(names(source), ['a', 'b', 'c', 'g'])
  assert.deepEqual(source.problems(), [])
})

test('a single file may be given instead of a folder', async t => {
  const path = await folder(t, { 'a.yaml': namespace('a'), 'b.yaml': namespace('b') })
  const { source } = await still(t, join(path, 'a.yaml'))
  assert.deepEqual(names(source), ['a'])
})

test('a folder that is not there is refused at the start', async t => {
  const path = join(await folder(t), 'nothing')
  const log = createLogger('test', 'fatal')
  await assert.rejects(FolderSource.open({ path, clock: systemClock, log }), {
    code: 'ERR_FILE_INVALID',
    message: `${path} cannot be read: ENOENT`
  })
  await assert.rejects(checkFolder(path, systemClock), { code: 'ERR_FILE_INVALID' })
})

test('the inventory is the same object while nothing changes, and nobody is told', async t => {
  const path = await folder(t, { 'a.yaml': namespace('a') })
  const { source } = await still(t, path)
  let told = 0
  source.subscribe(() => told++)
  const before = source.current()
  await writeFile(join(path, 'a.yaml'), `# another text, the same meaning\n${namespace('a')}`)
  await source.rescan()
  assert.equal(source.current(), before)
  assert.equal(told, 0)
  await writeFile(join(path, 'a.yaml'), namespace('b'))
  await source.rescan()
  assert.deepEqual(names(source), ['b'])
  assert.equal(told, 1)
})

test('Secrets are beside the inventory, announced, and never in the log', async t => {
  const secret = (value: string): string =>
    `apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: shop}\nstringData: {b: ${value}}\n`
  const path = await folder(t, { 'a.yaml': secret('hunter1'), 'b.yaml': namespace('a') })
  const { source, lines } = await still(t, path)
  const values = () => source.secrets().map(({ data }) => String(data.get('b')?.reveal()))
  let told = 0
  source.subscribe(() => told++)
  const before = source.secrets()
  assert.deepEqual(values(), ['hunter1'])
  await writeFile(join(path, 'b.yaml'), namespace('b'))
  await source.rescan()
  assert.deepEqual([source.secrets() === before, told], [true, 1])
  const inventory = source.current()
  await writeFile(join(path, 'a.yaml'), secret('hunter2'))
  await source.rescan()
  assert.deepEqual([values(), told, source.current() === inventory], [['hunter2'], 2, true])
  await writeFile(join(path, 'a.yaml'), `${secret('hunter3')}---\n${secret('hunter4')}`)
  await source.rescan()
  assert.deepEqual(values(), ['hunter3'])
  assert.match(problems(source, path).join(), /Secret shop\/a is already declared/)
  assert.doesNotMatch(JSON.stringify([lines, source.current(), source.problems()]), /hunter/)
})

test('a subscription can be ended, and a listener that throws disturbs no other', async t => {
  const path = await folder(t)
  const { source, lines } = await still(t, path)
  const told: string[] = []
  source.subscribe(() => {
    throw new Error('broken listener')
  })
  source.subscribe(() => void told.push('kept'))
  source.subscribe(() => void told.push('ended'))()
  await writeFile(join(path, 'a.yaml'), namespace('a'))
  await source.rescan()
  assert.deepEqual(told, ['kept'])
  assert.equal(lines.filter(({ level }) => level === 'error').length, 1)
})

test('a mistake keeps the last good state of its file while others apply', async t => {
  const path = await folder(t, { 'a.yaml': namespace('a'), 'b.yaml': namespace('b') })
  const { source } = await still(t, path)
  await writeFile(join(path, 'a.yaml'), namespace('A'))
  await writeFile(join(path, 'b.yaml'), namespace('b2'))
  await source.rescan()
  assert.deepEqual(names(source), ['a', 'b2'])
  assert.match(problems(source, path).join(), /^a\.yaml:4:9: metadata\.name: expected .*, got "A"$/)
})

test('a problem is logged once with its place, and once more when it is mended', async t => {
  const path = await folder(t, { 'a.yaml': namespace('a') })
  const { source, lines } = await still(t, path)
  await writeFile(join(path, 'a.yaml'), namespace('A'))
  for (let times = 0; times < 3; times++) await source.rescan()
  const warnings = lines.filter(({ level }) => level === 'warn')
  assert.equal(warnings.length, 1)
  const { file, line, column, field, problem } = warnings[0] as Line
  assert.deepEqual([file, line, column, field], [join(path, 'a.yaml'), 4, 9, 'metadata.name'])
  assert.match(String(problem), /^expected at most 63/)
  await writeFile(join(path, 'a.yaml'), namespace('a'))
  await source.rescan()
  await source.rescan()
  const mended = lines.filter(({ msg }) => msg === 'a file of the folder has no problem any more')
  assert.deepEqual(
    mended.map(({ file }) => file),
    [join(path, 'a.yaml')]
  )
  assert.deepEqual(source.problems(), [])
})

test('a file that is wrong at the start counts as far as it is good', async t => {
  const path = await folder(t, { 'a.yaml': `${namespace('a')}---\n${namespace('A')}` })
  const { source, lines } = await still(t, path)
  assert.deepEqual(names(source), ['a'])
  assert.equal(source.problems().length, 1)
  assert.equal(lines.filter(({ level }) => level === 'warn').length, 1)
})

test('a file that is deleted is gone, and its problems with it', async t => {
  const path = await folder(t, { 'a.yaml': namespace('a'), 'b.yaml': 'kind: [' })
  const { source } = await still(t, path)
  await unlink(join(path, 'a.yaml'))
  await unlink(join(path, 'b.yaml'))
  await source.rescan()
  assert.deepEqual(names(source), [])
  assert.deepEqual(source.problems(), [])
})

test('a file that is emptied is empty after a grace time', async t => {
  const path = await folder(t, { 'a.yaml': namespace('a') })
  const { source, clock } = await still(t, path)
  await truncate(join(path, 'a.yaml'))
  await source.rescan()
  assert.deepEqual(names(source), ['a'])
  assert.match(problems(source, path).join(), /^a\.yaml: is empty: .*$/)
  await clock.advance(5_000)
  await source.rescan()
  assert.deepEqual(names(source), [])
  assert.deepEqual(source.problems(), [])
})

test('a file that is too large is not read, and what it held stays', async t => {
  const path = await folder(t, { 'a.yaml': namespace('a') })
  const { source } = await still(t, path)
  await appendFile(join(path, 'a.yaml'), '#'.repeat(LARGEST_FILE_BYTES))
  await source.rescan()
  assert.deepEqual(names(source), ['a'])
  assert.match(
    problems(source, path).join(),
    /^a\.yaml: cannot be read: it has \d+ bytes, more than the 4194304 that are/
  )
})

test('a file that is not text is not read', async t => {
  const path = await folder(t)
  await writeFile(join(path, 'a.yaml'), Buffer.from([0xff, 0xfe, 0x00, 0x41]))
  const { source } = await still(t, path)
  assert.deepEqual(problems(source, path), ['a.yaml: cannot be read: it is not UTF-8'])
})

test('a pipe with the name of a manifest is not waited for', async t => {
  const path = await folder(t, { 'b.yaml': namespace('b') })
  execFileSync('mkfifo', [join(path, 'a.yaml')])
  const { source } = await still(t, path)
  assert.deepEqual(names(source), ['b'])
  assert.deepEqual(problems(source, path), ['a.yaml: cannot be read: it is neither a file nor a folder'])
})

test('a link that comes to point nowhere keeps what it held', async t => {
  const path = await folder(t)
  const target = await folder(t, { target: namespace('a') })
  await symlink(join(target, 'target'), join(path, 'a.yaml'))
  const { source } = await still(t, path)
  assert.deepEqual(names(source), ['a'])
  await unlink(join(target, 'target'))
  await source.rescan()
  assert.deepEqual(names(source), ['a'])
  assert.deepEqual(problems(source, path), ['a.yaml: cannot be read: ENOENT'])
  await unlink(join(path, 'a.yaml'))
  await source.rescan()
  assert.deepEqual(names(source), [])
})

test('a link to itself is a problem', async t => {
  const path = await folder(t)
  await symlink('a.yaml', join(path, 'a.yaml'))
  const { source } = await still(t, path)
  assert.deepEqual(problems(source, path), ['a.yaml: cannot be read: ELOOP'])
})

test('folders that are linked in a circle are entered once', async t => {
  const path = await folder(t, { 'a.yaml': namespace('a') })
  await symlink('.', join(path, 'self'))
  const { source } = await still(t, path)
  assert.deepEqual(names(source), ['a'])
  assert.deepEqual(source.problems(), [])
})

test('a folder that goes missing as a whole keeps what it held', async t => {
  const path = await folder(t)
  const inner = join(path, 'mesh')
  await mkdir(inner)
  await writeFile(join(inner, 'a.yaml'), namespace('a'))
  const { source } = await still(t, inner)
  await rename(inner, join(path, 'elsewhere'))
  await source.rescan()
  assert.deepEqual(names(source), ['a'])
  assert.deepEqual(problems(source, path), ['mesh: cannot be read: ENOENT'])
  await rename(join(path, 'elsewhere'), inner)
  await source.rescan()
  assert.deepEqual(source.problems(), [])
})

test('a folder below of which nothing can be known keeps what it held', async t => {
  const path = await folder(t)
  const below = join(path, 'below.yaml')
  await mkdir(below)
  await writeFile(join(below, 'a.yaml'), namespace('a'))
  const { source } = await still(t, path)
  // A mode without read permission would not keep root out; a link to itself keeps everybody out.
  await rename(below, join(path, '.aside'))
  await symlink('below.yaml', below)
  await source.rescan()
  assert.deepEqual(names(source), ['a'])
  assert.deepEqual(problems(source, path), ['below.yaml: cannot be read: ELOOP'])
})

test('without watches, changes are found by looking every five seconds', async t => {
  const path = await folder(t, { 'a.yaml': namespace('a') })
  const { source, clock } = await still(t, path)
  await writeFile(join(path, 'a.yaml'), namespace('b'))
  const changed = new Promise<void>(resolve => source.subscribe(resolve))
  await clock.advance(4_999)
  assert.deepEqual(names(source), ['a'])
  await clock.advance(1)
  await changed
  assert.deepEqual(names(source), ['b'])
})

test('after close nothing is told and no timer is left', async t => {
  const path = await folder(t, { 'a.yaml': namespace('a') })
  const { source, clock } = await still(t, path)
  source.subscribe(() => assert.fail('told after close'))
  await writeFile(join(path, 'a.yaml'), namespace('b'))
  const scan = source.rescan()
  await source.close()
  await scan
  assert.equal(clock.pending, 0)
  assert.deepEqual(names(source), ['a'])
})

test('watched: a change is noticed without looking, and read when it has been quiet for a while', async t => {
  const path = await folder(t, { 'a.yaml': namespace('a') })
  const clock = new FakeClock()
  const source = await FolderSource.open({ path, clock, log: createLogger('test', 'fatal') })
  t.after(() => source.close())
  const waitingForLookAgain = clock.pending
  await writeFile(join(path, 'a.yaml'), namespace('b'))
  const deadline = Date.now() + DEADLINE_MS
  while (clock.pending === waitingForLookAgain) {
    assert.ok(Date.now() < deadline, 'the change was not noticed')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  assert.deepEqual(names(source), ['a'])
  await clock.advance(100)
  await until(source, ['b'])
})

test('watched: files that are written, replaced by a rename, and deleted are noticed', async t => {
  const path = await folder(t)
  const source = await watching(t, path)
  await writeFile(join(path, 'a.yaml'), namespace('a'))
  await until(source, ['a'])
  await writeFile(join(path, 'a.yaml.new'), namespace('b'))
  await rename(join(path, 'a.yaml.new'), join(path, 'a.yaml'))
  await until(source, ['b'])
  await unlink(join(path, 'a.yaml'))
  await until(source, [])
})

test('watched: a folder that is made later is watched, and so is one that takes its place', async t => {
  const path = await folder(t)
  const source = await watching(t, path)
  const below = join(path, 'below')
  await mkdir(below)
  await writeFile(join(below, 'a.yaml'), namespace('a'))
  await until(source, ['a'])
  await writeFile(join(below, 'b.yaml'), namespace('b'))
  await until(source, ['a', 'b'])
  await rename(below, join(await folder(t), 'gone'))
  await until(source, [])
  await mkdir(below)
  await writeFile(join(below, 'c.yaml'), namespace('c'))
  await until(source, ['c'])
  await writeFile(join(below, 'c.yaml'), namespace('d'))
  await until(source, ['d'])
})

test('watched: a mounted ConfigMap is exchanged as Kubernetes does it', async t => {
  const path = await folder(t)
  const version = async (name: string, text: string) => {
    await mkdir(join(path, name))
    await writeFile(join(path, name, 'a.yaml'), text)
    await symlink(name, join(path, '..data_tmp'))
    await rename(join(path, '..data_tmp'), join(path, '..data'))
  }
  await version('..2026_01', namespace('a'))
  await symlink(join('..data', 'a.yaml'), join(path, 'a.yaml'))
  const source = await watching(t, path)
  assert.deepEqual(names(source), ['a'])
  assert.deepEqual(source.problems(), [])
  await version('..2026_02', namespace('b'))
  await rm(join(path, '..2026_01'), { recursive: true })
  await until(source, ['b'])
  assert.deepEqual(source.problems(), [])
})

test('watched: a file that is written piece by piece ends up whole', async t => {
  const path = await folder(t)
  const source = await watching(t, path)
  const pieces = ['a', 'b', 'c', 'd'].map(name => `---\n${namespace(name)}`).join('')
  for (let start = 0; start < pieces.length; start += 20)
    await appendFile(join(path, 'a.yaml'), pieces.slice(start, start + 20))
  await until(source, ['a', 'b', 'c', 'd'])
  assert.deepEqual(source.problems(), [])
})

test('checkFolder reads once', async t => {
  const path = await folder(t, { 'a.yaml': namespace('a'), 'b.yaml': namespace('a') })
  const { inventory, problems } = await checkFolder(path, systemClock)
  assert.deepEqual(inventory.namespaces, [{ name: 'a', labels: {} }])
  assert.deepEqual(problems.map(formatProblem), [
    `${path}/b.yaml:4:9: metadata.name: Namespace a is already declared at ${path}/a.yaml:4:9`
  ])
})
