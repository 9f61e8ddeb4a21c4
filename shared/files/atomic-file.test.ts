import assert from 'node:assert/strict'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { isTemporary, removeTemporaryFiles, writeFileAtomically } from './index.ts'

describe('writing a file atomically', () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-atomic-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  it('writes mode 0600 unless told otherwise, whatever the umask', () => {
    const umask = process.umask(0o077)
    try {
      writeFileAtomically(join(folder, 'secret'), 'a')
      writeFileAtomically(join(folder, 'public'), 'b', 0o644)
    } finally {
      process.umask(umask)
    }
    assert.equal(statSync(join(folder, 'secret')).mode & 0o777, 0o600)
    assert.equal(statSync(join(folder, 'public')).mode & 0o777, 0o644)
  })

  it('replaces the whole content and leaves nothing else behind', () => {
    const path = join(folder, 'twice')
    writeFileAtomically(path, 'a long first content')
    writeFileAtomically(path, 'short')
    assert.equal(readFileSync(path, 'utf8'), 'short')
    assert.deepEqual(readdirSync(folder).filter(isTemporary), [])
  })

  it('replaces a symbolic link instead of writing where it leads', () => {
    const outside = join(folder, 'outside')
    writeFileSync(outside, 'untouched', { mode: 0o600 })
    symlinkSync(outside, join(folder, 'link'))
    writeFileAtomically(join(folder, 'link'), 'inside', 0o644)
    assert.equal(readFileSync(outside, 'utf8'), 'untouched')
    assert.equal(statSync(outside).mode & 0o777, 0o600)
    assert.equal(readFileSync(join(folder, 'link'), 'utf8'), 'inside')
  })

  it('leaves no half-written file where the rename fails', () => {
    mkdirSync(join(folder, 'occupied', 'by-a-folder'), { recursive: true })
    assert.throws(() => writeFileAtomically(join(folder, 'occupied'), 'x'))
    assert.deepEqual(readdirSync(folder).filter(isTemporary), [])
  })

  it('removes what a crash left of it, and nothing else', () => {
    const own = mkdtempSync(join(folder, 'crash-'))
    for (const name of ['.pod.json.0123456789ab.tmp', 'pod.json', '.hidden']) writeFileSync(join(own, name), 'x')
    removeTemporaryFiles(own)
    assert.deepEqual(readdirSync(own).sort(), ['.hidden', 'pod.json'])
  })

  it('recognizes only its own temporary files', () => {
    assert.ok(isTemporary('.pod.json.0123456789ab.tmp'))
    for (const name of ['pod.json', '.hidden', 'pod.json.0123456789ab.tmp', '.pod.json.xyz.tmp', '.0123456789ab.tmp'])
      assert.ok(!isTemporary(name), name)
  })
})
