import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeClock } from '../../test/fakes/clock.ts'
import { Pace } from './pace.ts'

const begin = () => {
  const clock = new FakeClock(0)
  const end = new AbortController()
  const pace = new Pace(clock, 50, end.signal)
  const times: number[] = []
  const take = (): Promise<unknown> => pace.turn().then(() => times.push(clock.now()))
  return { clock, end, pace, times, take }
}

describe('the pace', () => {
  it('lets all through in order, so far apart', async () => {
    const { clock, times, take } = begin()
    for (let index = 0; index < 4; index++) void take()
    await clock.advance(1_000)
    assert.deepEqual(times, [0, 50, 100, 150])
    void take()
    await clock.advance(10)
    assert.deepEqual(times.slice(4), [1_000], 'at once after a rest')
  })

  it('pauses for everybody, those included who wait already', async () => {
    const { clock, pace, times, take } = begin()
    for (let index = 0; index < 3; index++) void take()
    await clock.advance(10)
    pace.pause(500)
    await clock.advance(1_000)
    assert.deepEqual(times, [0, 510, 560])
  })

  it('ends all waiting, and leaves no timer', async () => {
    const { clock, end, times, take } = begin()
    const waiting = [take(), take(), take()]
    await clock.advance(10)
    end.abort(new Error('over'))
    const ends = await Promise.allSettled(waiting)
    assert.deepEqual(
      ends.map(({ status }) => status),
      ['fulfilled', 'rejected', 'rejected']
    )
    await assert.rejects(take(), /over/)
    assert.deepEqual([times, clock.pending], [[0], 0])
  })
})
