import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { FakeClock } from '../../test/fakes/clock.ts'
import { TokenBucket } from './token-bucket.ts'

const taken = (bucket: TokenBucket, tries: number): number =>
  Array.from({ length: tries }, () => bucket.take()).filter(Boolean).length

describe('a token bucket', () => {
  it('allows its capacity at once and no more', () => {
    assert.equal(taken(new TokenBucket(3, 1_000, new FakeClock()), 10), 3)
  })

  it('allows one more after each interval, up to its capacity', async () => {
    const clock = new FakeClock()
    const bucket = new TokenBucket(3, 1_000, clock)
    taken(bucket, 3)
    await clock.advance(999)
    assert.equal(taken(bucket, 10), 0)
    await clock.advance(1)
    assert.equal(taken(bucket, 10), 1)
    await clock.advance(1_999)
    assert.equal(taken(bucket, 10), 1)
    await clock.advance(1)
    assert.equal(taken(bucket, 10), 1)
    await clock.advance(3_600_000)
    assert.equal(taken(bucket, 10), 3)
  })

  it('gives nothing for a clock that is set back, and goes on from there', async () => {
    const clock = new FakeClock()
    const bucket = new TokenBucket(1, 1_000, clock)
    taken(bucket, 1)
    await clock.advance(-3_600_000)
    assert.equal(taken(bucket, 1), 0)
    await clock.advance(1_000)
    assert.equal(taken(bucket, 1), 1)
  })
})
