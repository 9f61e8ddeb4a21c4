// Images of this checkout, made twice and looked at from outside: by tar, and by running what they hold.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, describe, it } from 'node:test'
import { archive } from './archive.ts'
import { buildImages } from './build-images.ts'
import { FileTree } from './file-tree.ts'
import { applicationTrees, type Recipe, recipes } from './recipes.ts'
import { unpack } from './unpack.ts'
import { writeArchive } from './write-archive.ts'

const root = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'countersign-images-'))
after(() => rmSync(folder, { recursive: true }))

const tree = (path: string, content: string): FileTree => {
  const made = new FileTree()
  made.write(path, content)
  return made
}

const recipe = (name: string, ...layers: FileTree[]): Recipe => ({
  reference: `countersign.dev/test/${name}:1`,
  title: name,
  version: '1',
  user: '65532:65532',
  entrypoint: ['/bin/program'],
  layers: () => layers
})

const read = (file: string, member: string): string => {
  const { status, stdout, stderr } = spawnSync('tar', ['-xOf', file, member])
  assert.equal(status, 0, String(stderr))
  return String(stdout)
}

describe('an image', () => {
  it('is the same bytes when it is made twice, without the cache of the first', async () => {
    const make = async (cache: string): Promise<Buffer> => {
      const images = await buildImages(
        new Map([['one', recipe('one', tree('a', '1'), tree('b', '2'))]]),
        join(folder, cache)
      )
      return buffer(archive([...images.values()]))
    }
    assert.ok((await make('first')).equals(await make('second')))
  })

  it('is an OCI layout whose every blob is what its name says, and has the older manifest too', async () => {
    const images = await buildImages(
      new Map([
        ['one', recipe('one', tree('base', 'shared'), tree('b', '1'))],
        ['two', recipe('two', tree('base', 'shared'), tree('b', '2'))]
      ]),
      join(folder, 'layout')
    )
    const file = join(folder, 'layout.tar')
    writeFileSync(file, await buffer(archive([...images.values()])))
    const members = String(spawnSync('tar', ['-tf', file]).stdout)
      .trim()
      .split('\n')
    const blobs = members.filter(name => /^blobs\/sha256\/./.test(name))
    assert.equal(blobs.length, 7, 'two manifests, two configurations, three layers of which one is shared')
    for (const blob of blobs) {
      const bytes = spawnSync('tar', ['-xOf', file, blob]).stdout
      assert.equal(`blobs/sha256/${createHash('sha256').update(bytes).digest('hex')}`, blob)
    }
    const index = JSON.parse(read(file, 'index.json'))
    const names = index.manifests.map((entry: { annotations: object }) => Object.values(entry.annotations)[0])
    assert.deepEqual(names, ['countersign.dev/test/one:1', 'countersign.dev/test/two:1'])
    const [older] = JSON.parse(read(file, 'manifest.json'))
    const config = JSON.parse(read(file, older.Config))
    assert.deepEqual(older.RepoTags, ['countersign.dev/test/one:1'])
    assert.equal(config.config.User, '65532:65532')
    assert.deepEqual(
      config.rootfs.diff_ids.map((digest: string) => `blobs/${digest.replace(':', '/')}`),
      older.Layers
    )
  })

  it('leaves out layers that its reader has, and names them all the same', async () => {
    const recipes = new Map([['one', recipe('one', tree('base', '1'), tree('b', '2'))]])
    const [image] = [...(await buildImages(recipes, join(folder, 'without'))).values()]
    const [base, own] = image?.layers ?? []
    assert.ok(image && base && own)
    const file = join(folder, 'without.tar')
    writeFileSync(file, await buffer(archive([image], new Set([base.digest]))))
    const members = String(spawnSync('tar', ['-tf', file]).stdout)
    assert.ok(members.includes(own.digest.slice(7)) && !members.includes(base.digest.slice(7)))
    assert.ok(read(file, `blobs/${image.digest.replace(':', '/')}`).includes(base.digest))
  })

  it('takes from the cache what did not change, and forgets layers that no image has any more', async () => {
    const cache = join(folder, 'cache')
    const build = async (...layers: FileTree[]): Promise<number> => {
      let made = -1
      await buildImages(new Map([['one', recipe('one', ...layers)]]), cache, (_, __, count) => {
        made = count
      })
      return made
    }
    await buildImages(new Map([['other', recipe('other', tree('a', '1'))]]), cache)
    assert.equal(await build(tree('a', '1'), tree('b', '1')), 1, 'the layer of the other image is used')
    assert.equal(await build(tree('a', '1'), tree('b', '1')), 0)
    assert.equal(await build(tree('b', '2')), 1)
    assert.equal(readdirSync(join(cache, 'layers/blobs')).length, 2, 'one of each image')
  })

  it('is written to a file once, and again when the file is not that any more', async () => {
    const cache = join(folder, 'files')
    const images = await buildImages(new Map([['one', recipe('one', tree('a', '1'))]]), cache)
    const [image] = [...images.values()]
    assert.ok(image)
    const file = join(folder, 'deep/one.tar')
    const write = async (): Promise<boolean> => (await writeArchive(image, file, cache)).written
    assert.equal(await write(), true)
    assert.equal(await write(), false)
    const bytes = readFileSync(file)
    writeFileSync(file, 'damaged')
    assert.equal(await write(), true)
    assert.ok(readFileSync(file).equals(bytes))
    rmSync(file)
    assert.equal(await write(), true)
    assert.deepEqual(readdirSync(join(folder, 'deep')), ['one.tar'])
  })
})

describe('the images of this checkout', () => {
  const all = recipes(root)
  const programs = [...all].filter(([, { entry }]) => entry !== undefined)

  it('are the programs, the proxy and the example', () => {
    assert.deepEqual([...all.keys()], ['webhook', 'authority', 'agent', 'node', 'proxy', 'echo'])
    assert.equal(programs.length, 5)
  })

  for (const [name, { entry = '', version }] of programs)
    it(`${name} holds everything that it loads when it starts, no test and nothing for development`, async () => {
      const own = applicationTrees(root, entry, version)
      const target = join(folder, 'programs', name)
      for (const layer of own) await unpack(layer, target)
      const paths = own.flatMap(layer => layer.entries().map(({ path }) => path))
      assert.deepEqual(
        paths.filter(path => /\.test\.ts$|\.d\.ts$|node_modules\/(typescript|@biomejs|knip)\//.test(path)),
        []
      )
      const program = join(target, 'app', entry)
      // The example listens as soon as it is loaded; loading it is all that is asked here.
      const args = name === 'echo' ? ['--check', program] : [program, '--help']
      const { status, stderr } = spawnSync(process.execPath, args, { cwd: target, env: {}, encoding: 'utf8' })
      assert.equal(status, 0, stderr)
    })
})
