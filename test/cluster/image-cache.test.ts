import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { createImage, type Image } from '../../tools/images/index.ts'
import { ImageCache } from './image-cache.ts'

const image = (name: string, version: string): Image =>
  createImage({ reference: `${name}:1`, title: name, version, user: '0:0', entrypoint: [] }, [], 'amd64')

const BLOB = 'io.containerd.content.v1.content/blobs/sha256/0a'
const DATABASE = 'io.containerd.metadata.v1.bolt/meta.db'

describe('ImageCache', () => {
  let folder = ''
  const cache = (version = '1.6'): ImageCache => new ImageCache(join(folder, 'cache'), version)
  /** The folder of a containerd that holds something. */
  const root = (name: string, content = name): string => {
    for (const file of [BLOB, DATABASE]) {
      const path = join(folder, name, file)
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, content)
    }
    return join(folder, name)
  }
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-image-cache-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('lacks everything at first, and makes no copy of nothing', async () => {
    const images = [image('a', '1'), image('b', '1')]
    assert.deepEqual(cache().missing(images), images)
    await cache().copyTo(join(folder, 'node'))
    assert.equal(existsSync(join(folder, 'node')), false)
  })

  it('gives what was kept, also to the next process', async () => {
    await cache().replaceBy(root('first'), [image('a', '1')])
    assert.deepEqual(cache().missing([image('a', '1')]), [])
    await cache().copyTo(join(folder, 'node'))
    for (const file of [BLOB, DATABASE]) assert.equal(readFileSync(join(folder, 'node', file), 'utf8'), 'first')
  })

  it('shares blobs, and no database', async () => {
    await cache().replaceBy(root('first'), [image('a', '1')])
    await cache().copyTo(join(folder, 'node'))
    const links = (file: string): number => statSync(join(folder, 'node', file)).nlink
    assert.equal(links(BLOB), 3, 'the first, the cache, the copy')
    assert.equal(links(DATABASE), 1)
    writeFileSync(join(folder, 'node', DATABASE), 'changed by the node')
    await cache().copyTo(join(folder, 'other'))
    assert.equal(readFileSync(join(folder, 'other', DATABASE), 'utf8'), 'first')
  })

  it('lacks an image that has changed, and keeps the others when that is added', async () => {
    await cache().replaceBy(root('first'), [image('a', '1'), image('b', '1')])
    const changed = image('a', '2')
    assert.deepEqual(cache().missing([changed, image('b', '1')]), [changed])
    await cache().replaceBy(root('second'), [changed])
    assert.deepEqual(cache().missing([changed, image('b', '1')]), [])
    assert.deepEqual(cache().missing([image('a', '1')]), [image('a', '1')])
  })

  it('does not look at what another version of containerd wrote', async () => {
    await cache('1.6').replaceBy(root('first'), [image('a', '1')])
    const newer = cache('1.7')
    assert.equal(newer.missing([image('a', '1')]).length, 1)
    await newer.copyTo(join(folder, 'node'))
    assert.equal(existsSync(join(folder, 'node')), false)
    await newer.replaceBy(root('second'), [image('b', '1')])
    assert.deepEqual(cache('1.7').missing([image('a', '1'), image('b', '1')]), [image('a', '1')])
  })

  it('is empty after the process died while it was replaced', async () => {
    await cache().replaceBy(root('first'), [image('a', '1')])
    rmSync(join(folder, 'cache/contents.json'))
    assert.equal(cache().missing([image('a', '1')]).length, 1)
    await cache().replaceBy(root('second'), [image('a', '1')])
    await cache().copyTo(join(folder, 'node'))
    assert.equal(readFileSync(join(folder, 'node', BLOB), 'utf8'), 'second')
  })
})
