import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeClock } from '../../test/fakes/clock.ts'
import { sleep, systemClock } from './index.ts'

describe('the system clock', () => {
  it('fires after the wall clock has moved on, and not before', async () => {
    const before = Date.now()
    const keepAlive = setTimeout(() => {}, 5_000)
    await new Promise<void>(resolve => systemClock.after(30, resolve))
    clearTimeout(keepAlive)
    assert.ok(Date.now() - before >= 29)
  })

  it('fires within a step of waking up when the machine was suspended past the deadline', async t => {
    t.mock.timers.enable({ apis: ['Date', 'setTimeout'] })
    let fired = false
    systemClock.after(3_600_000, () => {
      fired = true
    })
    t.mock.timers.tick(1_000)
    assert.equal(fired, false)
    // Suspended: the wall clock jumps, timers do not.
    t.mock.timers.setTime(Date.now() + 7_200_000)
    t.mock.timers.tick(1_000)
    assert.equal(fired, true)
  })

  it('fires in time when the wall clock is set back meanwhile', async t => {
    const now = Date.now
    t.after(() => {
      Date.now = now
    })
    const keepAlive = setTimeout(() => {}, 10_000)
    const fired = new Promise<void>(resolve => systemClock.after(50, resolve))
    Date.now = () => now() - 3_600_000
    await fired
    clearTimeout(keepAlive)
  })

  it('does not fire once cancelled', async t => {
    t.mock.timers.enable({ apis: ['Date', 'setTimeout'] })
    let fired = false
    const cancel = systemClock.after(5_000, () => {
      fired = true
    })
    t.mock.timers.tick(2_000)
    cancel()
    t.mock.timers.tick(10_000)
    assert.equal(fired, false)
  })
})

describe('sleep', () => {
  it('ends with the reason of the signal, and leaves no timer', async () => {
    const clock = new FakeClock()
    const stop = new AbortController()
    const sleeping = sleep(clock, 1_000, stop.signal)
    stop.abort(new Error('stopped'))
    await assert.rejects(sleeping, /stopped/)
    assert.equal(clock.pending, 0)
  })

  it('refuses to begin when the signal is aborted already', async () => {
    await assert.rejects(sleep(new FakeClock(), 1, AbortSignal.abort(new Error('stopped'))), /stopped/)
  })

  it('ends on time', async () => {
    const clock = new FakeClock()
    let ended = false
    void sleep(clock, 1_000).then(() => {
      ended = true
    })
    await clock.advance(999)
    assert.equal(ended, false)
    await clock.advance(1)
    assert.equal(ended, true)
  })
})
