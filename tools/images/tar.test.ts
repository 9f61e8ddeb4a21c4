import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { FileTree } from './file-tree.ts'
import { tar } from './tar.ts'

const bytes = (tree: FileTree): Promise<Buffer> => buffer(tar(tree.entries()))

function run(archive: Buffer, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync('tar', args, { input: archive, env: { ...process.env, TZ: 'UTC' } })
  assert.equal(status, 0, String(stderr))
  assert.equal(String(stderr), '', 'tar complained')
  return String(stdout)
}

describe('tar', () => {
  it('is read by GNU tar: names, kinds, modes, owner 0 and one time', async () => {
    const tree = new FileTree()
    tree.write('/etc/passwd', 'root\n')
    tree.write('/bin/program', 'x', 0o755)
    tree.link('/bin/sh', 'program')
    tree.folder('/tmp', 0o1777)
    const lines = run(await bytes(tree), '-tv', '--numeric-owner')
      .trim()
      .split('\n')
      .map(line => line.replace(/ +/g, ' '))
    assert.deepEqual(lines, [
      'drwxr-xr-x 0/0 0 2000-01-01 00:00 bin/',
      '-rwxr-xr-x 0/0 1 2000-01-01 00:00 bin/program',
      'lrwxrwxrwx 0/0 0 2000-01-01 00:00 bin/sh -> program',
      'drwxr-xr-x 0/0 0 2000-01-01 00:00 etc/',
      '-rw-r--r-- 0/0 5 2000-01-01 00:00 etc/passwd',
      'drwxrwxrwt 0/0 0 2000-01-01 00:00 tmp/'
    ])
  })

  for (const length of [0, 1, 511, 512, 513, 1024])
    it(`gives ${length} bytes back as they were`, async () => {
      const tree = new FileTree()
      const content = Buffer.alloc(length, 'content')
      tree.write('file', content)
      tree.write('next', 'the entry after it is where tar expects it')
      assert.equal(run(await bytes(tree), '-xO', 'file'), content.toString())
      assert.match(run(await bytes(tree), '-xO', 'next'), /^the entry/)
    })

  for (const length of [99, 100, 101, 255, 600])
    it(`keeps a name of ${length} bytes and a link to one`, async () => {
      const name = `folder/${'n'.repeat(length - 'folder/'.length)}`
      const tree = new FileTree()
      tree.write(name, 'found')
      tree.link('link', name)
      assert.equal(run(await bytes(tree), '-xO', name), 'found')
      assert.match(run(await bytes(tree), '-tv', 'link'), new RegExp(`link -> ${name}\n$`))
    })

  it('refuses a file that changed after it was looked at', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-tar-'))
    try {
      writeFileSync(join(folder, 'file'), 'short')
      const tree = new FileTree()
      tree.copy('file', join(folder, 'file'))
      writeFileSync(join(folder, 'file'), 'longer than it was')
      await assert.rejects(bytes(tree), /had 5 bytes and then 18: it was changed while it was read/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('refuses a file of 8 GB, which its header cannot say', async () => {
    const entry = { type: 'file', path: 'large', mode: 0o644, content: { file: '/nowhere', size: 2 ** 33 } } as const
    await assert.rejects(buffer(tar([entry])), TypeError)
  })
})

describe('FileTree', () => {
  it('makes the same bytes whatever the order, and other bytes for another mode, name or content', async () => {
    const make = (order: readonly string[], change?: (tree: FileTree) => void): FileTree => {
      const tree = new FileTree()
      for (const path of order) tree.write(path, path)
      change?.(tree)
      return tree
    }
    const one = make(['a/b', 'a-b', 'a/c/d', 'z'])
    const other = make(['z', 'a/c/d', 'a/b', 'a-b'])
    assert.ok((await bytes(one)).equals(await bytes(other)))
    assert.equal(await one.contentHash(), await other.contentHash())
    const changes: ((tree: FileTree) => void)[] = [
      tree => tree.write('z', 'z', 0o755),
      tree => tree.write('z', 'other'),
      tree => tree.write('y', 'z'),
      tree => tree.link('z', 'z'),
      tree => tree.folder('a', 0o700)
    ]
    const hashes = await Promise.all(changes.map(change => make(['a/b', 'z'], change).contentHash()))
    assert.equal(new Set([...hashes, await make(['a/b', 'z']).contentHash()]).size, changes.length + 1)
  })

  it('puts every folder before what is in it', () => {
    const tree = new FileTree()
    tree.write('/a/b/c', '')
    tree.write('/a!', '')
    assert.deepEqual(
      tree.entries().map(({ path }) => path),
      ['a', 'a!', 'a/b', 'a/b/c']
    )
  })

  for (const path of ['', '/', '..', '../etc/passwd', 'a/../b', './a', 'a//b'])
    it(`refuses the path ${JSON.stringify(path)}`, () => {
      assert.throws(() => new FileTree().write(path, ''), TypeError)
    })
})
