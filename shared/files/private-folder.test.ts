import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { ensurePrivateFolder } from './index.ts'

describe('a private folder', () => {
  let base = ''
  let path = ''
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'countersign-private-'))
    path = join(base, 'a', 'b')
  })
  afterEach(() => rmSync(base, { recursive: true }))

  const mode = (): number => statSync(path).mode & 0o777

  it('is made, with those above it', () => {
    ensurePrivateFolder(path)
    assert.equal(mode(), 0o700)
  })

  it('is accepted when it is there, with what is in it', () => {
    ensurePrivateFolder(path)
    writeFileSync(join(path, 'file'), 'x')
    ensurePrivateFolder(path)
    assert.equal(mode(), 0o700)
  })

  it('is closed to others while it is empty, as one that the kubelet made', () => {
    mkdirSync(path, { recursive: true })
    chmodSync(path, 0o755)
    ensurePrivateFolder(path)
    assert.equal(mode(), 0o700)
  })

  for (const open of [0o755, 0o750, 0o701, 0o720])
    it(`is refused with mode 0${open.toString(8)} when there is something in it, and the message says how to mend it`, () => {
      mkdirSync(path, { recursive: true })
      writeFileSync(join(path, 'file'), 'x')
      chmodSync(path, open)
      assert.throws(() => ensurePrivateFolder(path), {
        code: 'ERR_STATE_FOLDER_UNSAFE',
        message: `state folder ${path} has mode 0${open.toString(8)}, expected 0700: mend it with \`chmod 0700 ${path}\``
      })
      assert.equal(mode(), open)
    })

  it('is refused when something that is not a folder is in the way', () => {
    writeFileSync(join(base, 'a'), 'a file')
    assert.throws(() => ensurePrivateFolder(path), {
      code: 'ERR_STATE_FOLDER_UNSAFE',
      message: /choose another with --state/
    })
    assert.throws(() => ensurePrivateFolder(join(base, 'a')), { code: 'ERR_STATE_FOLDER_UNSAFE' })
  })
})
