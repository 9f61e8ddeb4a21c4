import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { median, percentile } from './statistics.ts'

const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)

describe('a percentile', () => {
  for (const [percent, expected] of [
    [0.5, 1],
    [50, 50],
    [99, 99],
    [99.5, 100],
    [100, 100]
  ] as const)
    it(`${percent} of the numbers from 1 to 100 is ${expected}, in whatever order they come`, () => {
      assert.equal(percentile(hundred, percent), expected)
    })

  it('of one value is that value', () => {
    assert.equal(percentile([7], 1), 7)
    assert.equal(percentile([7], 99), 7)
  })

  it('compares numbers as numbers', () => {
    assert.equal(median([100, 9, 20]), 20)
  })

  it('leaves the values in their order', () => {
    const values = [3, 1, 2]
    median(values)
    assert.deepEqual(values, [3, 1, 2])
  })

  it('is refused of no values, and outside of 0 to 100', () => {
    assert.throws(() => median([]), TypeError)
    for (const percent of [0, -1, 101, Number.NaN]) assert.throws(() => percentile([1], percent), TypeError)
  })
})
