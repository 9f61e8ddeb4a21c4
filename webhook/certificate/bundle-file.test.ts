import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, it } from 'node:test'
import { CountersignError } from '../../shared/errors/index.ts'
import { eventually } from '../../test/eventually.ts'
import { FakeClock } from '../../test/fakes/clock.ts'
import { recordingLogger } from '../webhook.test-support.ts'
import { keepBundleFile } from './index.ts'

const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

/** A source whose bundle a test sets. */
function bundles(first: string | undefined) {
  const listeners = new Set<() => void>()
  let caBundle = first
  return {
    current: () => ({ caBundle }) as never,
    subscribe(listener: () => void) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    publish(next: string) {
      caBundle = next
      for (const listener of listeners) listener()
    },
    get listening() {
      return listeners.size
    }
  }
}

function place(): { folder: string; path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bundle-'))
  closers.push(() => rmSync(folder, { recursive: true }))
  return { folder, path: join(folder, 'ca.pem') }
}

async function keep(path: string, source: ReturnType<typeof bundles>) {
  const clock = new FakeClock()
  const { log, lines } = recordingLogger()
  const stop = await keepBundleFile({ path, source, clock, log })
  closers.push(stop)
  return { clock, lines, stop }
}

describe('the file with the CA bundle', () => {
  it('is there when the keeping begins, and follows every change', async () => {
    const { folder, path } = place()
    const source = bundles('first')
    await keep(path, source)
    assert.equal(readFileSync(path, 'utf8'), 'first')
    for (const bundle of ['second', 'third', 'fourth']) source.publish(bundle)
    await eventually(() => readFileSync(path, 'utf8') === 'fourth', 'the last bundle')
    await eventually(() => readdirSync(folder).length === 1, 'no temporary file')
  })

  it('is readable by others: there is no secret in it', async () => {
    const { path } = place()
    await keep(path, bundles('first'))
    assert.equal(statSync(path).mode & 0o444, 0o444)
  })

  it('is replaced and never rewritten: a reader that has it open sees one whole bundle', async () => {
    const { path } = place()
    const source = bundles('first')
    await keep(path, source)
    const before = statSync(path).ino
    source.publish('second')
    await eventually(() => readFileSync(path, 'utf8') === 'second', 'the second bundle')
    assert.notEqual(statSync(path).ino, before)
  })

  it('is not touched where nobody said what the roots are', async () => {
    const { folder, path } = place()
    await keep(path, bundles(undefined))
    assert.deepEqual(readdirSync(folder), [])
  })

  it('stays when the keeping ends, and nothing is written any more', async () => {
    const { path } = place()
    const source = bundles('first')
    const { stop } = await keep(path, source)
    await stop()
    assert.equal(source.listening, 0)
    assert.equal(readFileSync(path, 'utf8'), 'first')
  })

  it('stops the start when it cannot be written, naming the option', async () => {
    const { path } = place()
    await assert.rejects(
      keep(join(path, 'missing', 'ca.pem'), bundles('first')),
      (thrown: unknown) =>
        thrown instanceof CountersignError &&
        thrown.code === 'ERR_FILE_INVALID' &&
        thrown.message.includes('(--ca-bundle-file)')
    )
  })

  it('is tried again a minute after it could not be written', async () => {
    const { folder, path } = place()
    const source = bundles('first')
    const { clock, lines } = await keep(path, source)
    // A folder stands where the file should go, which also stops root.
    rmSync(path)
    mkdirSync(path)
    source.publish('second')
    await eventually(() => lines.some(({ msg }) => msg === 'the CA bundle cannot be written'), 'the complaint')
    await eventually(() => clock.pending === 1, 'the retry to be set')
    rmdirSync(path)
    await clock.advance(60_000)
    await eventually(
      () => readdirSync(folder).join() === 'ca.pem' && readFileSync(path, 'utf8') === 'second',
      'the second bundle'
    )
    chmodSync(folder, 0o700)
  })
})
