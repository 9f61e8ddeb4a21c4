import assert from 'node:assert/strict'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { makeVolumeFolder, removeVolumeFolder, volumeFolderExists, writeIntoVolumeFolder } from './volume-folder.ts'

describe('the folder of a volume', () => {
  let base = ''
  let pods = ''
  let target = ''
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'countersign-folder-'))
    pods = join(base, 'pods')
    target = join(pods, 'uid/volumes/kubernetes.io~csi/countersign/mount')
    mkdirSync(dirname(target), { recursive: true, mode: 0o750 })
  })
  afterEach(() => rmSync(base, { recursive: true }))

  const make = (): void => makeVolumeFolder(pods, target)
  const remove = (): void => removeVolumeFolder(pods, target)

  it('is made for every user of the pod to look into, whatever the umask', () => {
    const umask = process.umask(0o077)
    try {
      make()
    } finally {
      process.umask(umask)
    }
    assert.equal(statSync(target).mode & 0o777, 0o755)
    assert.ok(volumeFolderExists(target))
  })

  it('stays as it is, with its content, when it is made again', () => {
    make()
    writeFileSync(join(target, 'envoy.json'), '{}')
    const { ino } = statSync(target)
    make()
    assert.equal(statSync(target).ino, ino)
    assert.deepEqual(readdirSync(target), ['envoy.json'])
  })

  it('takes a file, in place of what was there under that name, and follows no link', () => {
    const file = { name: 'envoy.json', content: 'new', mode: 0o644 }
    assert.throws(() => writeIntoVolumeFolder(pods, target, file), { code: 'ENOENT' })
    make()
    const outside = join(base, 'outside')
    writeFileSync(outside, 'untouched')
    symlinkSync(outside, join(target, 'envoy.json'))
    writeIntoVolumeFolder(pods, target, file)
    assert.equal(readFileSync(join(target, 'envoy.json'), 'utf8'), 'new')
    assert.equal(statSync(join(target, 'envoy.json')).mode & 0o777, 0o644)
    assert.equal(readFileSync(outside, 'utf8'), 'untouched')
    rmSync(target, { recursive: true })
    symlinkSync(base, target)
    assert.throws(() => writeIntoVolumeFolder(pods, target, file), { code: /ELOOP|ENOTDIR/ })
  })

  it('is not made where the kubelet made no folder above it', () => {
    rmSync(dirname(target), { recursive: true })
    assert.throws(make, /there is no /)
  })

  for (const [title, put] of [
    ['a file', () => writeFileSync(target, 'x')],
    ['a link to a folder', () => symlinkSync(base, target)],
    ['a link to nowhere', () => symlinkSync('/nowhere', target)]
  ] as const)
    it(`is not made over ${title}`, () => {
      put()
      assert.throws(make, /something that is not a folder is in the way/)
    })

  it('is removed with a socket, files, links and folders in it', async () => {
    make()
    const server = createServer()
    await new Promise<void>(resolve => server.listen(join(target, 'agent.sock'), resolve))
    writeFileSync(join(target, 'envoy.json'), '{}')
    mkdirSync(join(target, 'a/b'), { recursive: true })
    writeFileSync(join(target, 'a/b/c'), 'x')
    symlinkSync('/nowhere', join(target, 'dangling'))
    remove()
    assert.deepEqual(readdirSync(dirname(target)), [])
    await new Promise(resolve => server.close(resolve))
  })

  for (const [title, prepare] of [
    ['it is not there', () => {}],
    ['the folder of its pod is not there', () => rmSync(join(pods, 'uid'), { recursive: true })],
    ['the folder of pods is not there', () => rmSync(pods, { recursive: true })],
    ['it was removed before', () => [make(), remove()]]
  ] as const)
    it(`counts as removed when ${title}`, () => {
      prepare()
      remove()
      assert.equal(volumeFolderExists(target), false)
    })

  it('loses a link in it, and not what the link leads to', () => {
    const outside = join(base, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'precious'), 'x')
    make()
    symlinkSync(outside, join(target, 'link'))
    remove()
    assert.ok(existsSync(join(outside, 'precious')))
    assert.equal(existsSync(target), false)
  })

  it('that was replaced by a link is removed as a link', () => {
    const outside = join(base, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'precious'), 'x')
    symlinkSync(outside, target)
    remove()
    assert.ok(existsSync(join(outside, 'precious')))
    assert.equal(lstatSync(target, { throwIfNoEntry: false }), undefined)
  })

  for (const [title, step] of [
    ['the pod', 'uid'],
    ['its volumes', 'uid/volumes'],
    ['the driver', 'uid/volumes/kubernetes.io~csi'],
    ['the volume', 'uid/volumes/kubernetes.io~csi/countersign']
  ] as const)
    it(`is neither made nor removed behind a link in place of ${title}`, () => {
      const outside = join(base, 'outside')
      const precious = join(outside, target.slice(join(pods, step).length))
      mkdirSync(precious, { recursive: true })
      writeFileSync(join(precious, 'precious'), 'x')
      rmSync(join(pods, step), { recursive: true })
      symlinkSync(outside, join(pods, step))
      assert.throws(remove, /no symbolic link on the way/)
      assert.throws(make, /no symbolic link on the way/)
      assert.ok(existsSync(join(precious, 'precious')))
    })

  it('may lie below a kubelet folder that is a link itself', () => {
    const link = join(base, 'link')
    symlinkSync(pods, link)
    const through = join(link, target.slice(pods.length))
    makeVolumeFolder(link, through)
    assert.ok(existsSync(target))
    removeVolumeFolder(link, through)
    assert.equal(existsSync(target), false)
  })

  it('leaves no descriptor open', () => {
    const open = (): number => readdirSync('/proc/self/fd').length
    const before = open()
    for (let round = 0; round < 20; round++) {
      make()
      mkdirSync(join(target, 'a'))
      remove()
    }
    assert.equal(open(), before)
  })
})
