import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { ConcurrencyLimit } from './concurrency-limit.ts'

const never = new AbortController().signal

function openTask(): { run: () => Promise<void>; finish: () => void; readonly started: boolean } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const task = {
    started: false,
    run: () => {
      task.started = true
      return promise
    },
    finish: resolve
  }
  return task
}

describe('a concurrency limit', () => {
  it('lets no more than so many run, the others in the order in which they came', async () => {
    const limit = new ConcurrencyLimit(2)
    const tasks = [openTask(), openTask(), openTask(), openTask()] as const
    const runs = tasks.map(task => limit.run(never, task.run))
    await turn()
    assert.deepEqual(
      tasks.map(task => task.started),
      [true, true, false, false]
    )
    tasks[1].finish()
    await turn()
    assert.deepEqual(
      tasks.map(task => task.started),
      [true, true, true, false]
    )
    for (const task of tasks) task.finish()
    await Promise.all(runs)
    assert.ok(tasks[3].started)
  })

  it('gives the place of a task that failed to the next', async () => {
    const limit = new ConcurrencyLimit(1)
    await assert.rejects(
      limit.run(never, () => Promise.reject(new Error('failed'))),
      /failed/
    )
    assert.equal(await limit.run(never, () => Promise.resolve('next')), 'next')
  })

  it('lets one who is waiting give up, without a place being lost', async () => {
    const limit = new ConcurrencyLimit(1)
    const [running, leaving, staying] = [openTask(), openTask(), openTask()]
    const abort = new AbortController()
    const first = limit.run(never, running.run)
    const second = limit.run(abort.signal, leaving.run)
    const third = limit.run(never, staying.run)
    abort.abort(new Error('gave up'))
    await assert.rejects(second, /gave up/)
    running.finish()
    staying.finish()
    await Promise.all([first, third])
    assert.equal(leaving.started, false)
    assert.equal(staying.started, true)
  })

  it('does not start what was given up before', async () => {
    const task = openTask()
    await assert.rejects(new ConcurrencyLimit(1).run(AbortSignal.abort(new Error('too late')), task.run), /too late/)
    assert.equal(task.started, false)
  })

  for (const limit of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])
    it(`cannot be ${limit}`, () => {
      assert.throws(() => new ConcurrencyLimit(limit), TypeError)
    })
})
