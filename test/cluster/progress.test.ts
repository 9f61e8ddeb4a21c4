import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import { Progress } from './progress.ts'

describe('Progress', () => {
  let lines: string[] = []
  const progress = (): Progress => new Progress(line => lines.push(line.replace(/\d+\.\d s/, 'N s')))
  beforeEach(() => {
    lines = []
    mock.timers.enable({ apis: ['setTimeout', 'setInterval'] })
  })
  afterEach(() => mock.timers.reset())

  it('says nothing of what is done within a second', async () => {
    assert.equal(await progress().step('short', async () => 'answer'), 'answer')
    mock.timers.tick(60_000)
    assert.deepEqual(lines, [])
  })

  it('says what takes longer, what it is at, and how long it took', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const step = progress().step(
      'long',
      () => promise,
      () => 'half done'
    )
    mock.timers.tick(1_000)
    assert.deepEqual(lines, ['cluster: long …'])
    mock.timers.tick(14_000)
    assert.deepEqual(lines.slice(1), ['cluster: long … N s, half done'])
    resolve()
    await step
    assert.deepEqual(lines.slice(2), ['cluster: long: N s'])
  })

  it('passes a failure on, and stops telling', async () => {
    await assert.rejects(
      progress().step('failing', async () => {
        throw new Error('why')
      }),
      /why/
    )
    mock.timers.tick(60_000)
    assert.deepEqual(lines, [])
  })
})
