import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeClock } from '../../test/fakes/clock.ts'
import { RepeatedProblem } from './repeated-problem.ts'

const MINUTE = 60_000

describe('a problem that lasts', () => {
  it('is said at once, then after 1, 2, 4 minutes and so on up to every hour', async () => {
    const clock = new FakeClock(0)
    const problem = new RepeatedProblem(clock)
    const said: number[] = []
    for (let minute = 0; minute <= 240; minute++) {
      if (problem.occurred('down') !== undefined) said.push(minute)
      await clock.advance(MINUTE)
    }
    assert.deepEqual(said, [0, 1, 3, 7, 15, 31, 63, 123, 183])
  })

  it('is said again at once when its reason changes', () => {
    const problem = new RepeatedProblem(new FakeClock())
    assert.deepEqual(problem.occurred('down'), { failures: 1, lastingMs: 0 })
    assert.equal(problem.occurred('down'), undefined)
    assert.deepEqual(problem.occurred('refused'), { failures: 3, lastingMs: 0 })
    assert.equal(problem.occurred('refused'), undefined)
  })

  it('tells what it was when it is over, and is new when it comes back', async () => {
    const clock = new FakeClock()
    const problem = new RepeatedProblem(clock)
    assert.equal(problem.solved(), undefined)
    problem.occurred('down')
    await clock.advance(5_000)
    problem.occurred('down')
    assert.deepEqual(problem.solved(), { failures: 2, lastingMs: 5_000 })
    assert.equal(problem.solved(), undefined)
    assert.deepEqual(problem.occurred('down'), { failures: 1, lastingMs: 0 })
  })
})
