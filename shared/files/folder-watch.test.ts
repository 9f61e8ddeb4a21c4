import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { createLogger } from '../log/index.ts'
import { FolderWatch } from './index.ts'

describe('a watched folder', () => {
  let base = ''
  let folder = ''
  let looks = 0
  let lines: string[] = []
  let clock: FakeClock
  let watch: FolderWatch

  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'countersign-watch-'))
    folder = join(base, 'watched')
    looks = 0
    lines = []
    clock = new FakeClock()
    watch = new FolderWatch({
      folder,
      clock,
      log: createLogger('test', 'trace', { write: line => void lines.push(line) }),
      intervalMs: 1_000,
      look: () => {
        looks++
      }
    })
  })
  afterEach(() => {
    watch.close()
    rmSync(base, { recursive: true })
  })

  it('is looked at once before start returns', () => {
    mkdirSync(folder)
    watch.start()
    assert.equal(looks, 1)
  })

  it('is looked at after a file was replaced by a rename', async () => {
    mkdirSync(folder)
    watch.start()
    writeFileSync(join(base, 'new'), 'x')
    renameSync(join(base, 'new'), join(folder, 'file'))
    await eventually(() => looks > 1, 'the change is heard of')
  })

  it('is looked at every interval although nothing was heard', async () => {
    mkdirSync(folder)
    watch.start()
    await clock.advance(3_000)
    assert.equal(looks, 4)
  })

  it('is found at the next interval when it was not there, which is said once', async () => {
    watch.start()
    await clock.advance(2_000)
    assert.equal(lines.length, 1)
    assert.match(lines[0] ?? '', /cannot be watched/)
    mkdirSync(folder)
    await clock.advance(1_000)
    const before = looks
    writeFileSync(join(folder, 'file'), 'x')
    await eventually(() => looks > before, 'the change is heard of')
  })

  it('is left alone after close', async () => {
    mkdirSync(folder)
    watch.start()
    writeFileSync(join(folder, 'file'), 'x')
    watch.close()
    const before = looks
    await clock.advance(10_000)
    assert.equal(looks, before)
    assert.equal(clock.pending, 0)
  })
})
