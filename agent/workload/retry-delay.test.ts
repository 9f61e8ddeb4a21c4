import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { retryDelay } from './retry-delay.ts'

const HOUR = 3_600_000
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const lifetime = fc.integer({ min: 10_000, max: 365 * 24 * HOUR })

describe('the pause before another try', () => {
  it('has a bound that starts at 200 ms, doubles and stops at 30 s', () => {
    const bounds = [1, 2, 3, 4, 8, 9, 100, 5_000].map(failures => retryDelay(failures, 24 * HOUR, () => 1))
    assert.deepEqual(bounds, [200, 400, 800, 1_600, 25_600, 30_000, 30_000, 30_000])
  })

  it('never exceeds a twentieth of the life', () => {
    assert.equal(
      retryDelay(20, 30_000, () => 1),
      1_500
    )
  })

  it('lies anywhere between nothing and its bound', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10_000 }), lifetime, random, (failures, life, draw) => {
        const delay = retryDelay(failures, life, () => draw)
        assert.ok(delay >= 0 && delay <= 30_000 && delay <= life / 20)
      })
    )
  })
})
