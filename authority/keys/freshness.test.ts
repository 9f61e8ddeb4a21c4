import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CacheHeaders, freshForMs, refreshDelayMs, retryDelayMs } from './freshness.ts'

const NOW = Date.UTC(2026, 0, 1)
const at = (seconds: number): string => new Date(NOW + seconds * 1_000).toUTCString()
const TABLE: Readonly<Record<string, readonly [CacheHeaders, number]>> = {
  'nothing said': [{}, 1_200],
  'something else said': [{ cacheControl: 'public, must-revalidate' }, 1_200],
  'a lifetime': [{ cacheControl: 'public, max-age=600' }, 600],
  'a lifetime in quotes and capitals': [{ cacheControl: 'Max-Age="600"' }, 600],
  'a lifetime that is too short': [{ cacheControl: 'max-age=1' }, 60],
  'a lifetime of nothing': [{ cacheControl: 'max-age=0' }, 60],
  'a lifetime that is too long': [{ cacheControl: 'max-age=31536000' }, 3_600],
  'a lifetime beyond all numbers': [{ cacheControl: `max-age=${'9'.repeat(400)}` }, 3_600],
  'a lifetime that is none': [{ cacheControl: 'max-age=soon' }, 60],
  'a negative lifetime': [{ cacheControl: 'max-age=-5' }, 60],
  'a lifetime for shared caches only': [{ cacheControl: 's-maxage=90' }, 1_200],
  'no storing, beside a lifetime': [{ cacheControl: 'max-age=600, no-store' }, 60],
  'no caching': [{ cacheControl: 'no-cache' }, 60],
  'a lifetime of which a part has passed': [{ cacheControl: 'max-age=600', age: '100' }, 500],
  'a lifetime that has passed': [{ cacheControl: 'max-age=600', age: '700' }, 60],
  'an age that is none': [{ cacheControl: 'max-age=600', age: 'old' }, 600],
  'an end': [{ expires: at(900) }, 900],
  'an end by another clock': [{ expires: at(4_500), date: at(3_600) }, 900],
  'an end by a clock that is none': [{ expires: at(900), date: 'today' }, 900],
  'an end that has passed': [{ expires: at(-900) }, 60],
  'an end that is none': [{ expires: '0' }, 60],
  'a lifetime and another end': [{ cacheControl: 'max-age=600', expires: at(900) }, 600]
}

describe('for how long keys are fresh', () => {
  for (const [title, [headers, seconds]] of Object.entries(TABLE))
    it(`is ${seconds} s with ${title}`, () => assert.equal(freshForMs(headers, NOW), seconds * 1_000))

  it('is used up to about 80 % of it', () => {
    assert.deepEqual(
      [0, 0.5, 1].map(drawn => refreshDelayMs(100_000, () => drawn)),
      [75_000, 80_000, 85_000]
    )
  })
})

describe('how long to wait after failures', () => {
  const waits = (hasKeys: boolean, drawn: number): readonly number[] =>
    Array.from({ length: 12 }, (_, index) => retryDelayMs(index + 1, hasKeys, () => drawn) / 1_000)

  it('doubles to a minute while there are no keys', () => {
    assert.deepEqual(waits(false, 1), [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60])
  })

  it('doubles to five minutes while there are old ones', () => {
    assert.deepEqual(waits(true, 1), [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300])
  })

  it('is drawn between half of that and all of it', () => {
    assert.deepEqual(waits(false, 0).slice(0, 3), [0.5, 1, 2])
  })

  it('is what the provider asks for, within the same limit', () => {
    assert.equal(
      retryDelayMs(1, false, () => 0, 30),
      30_000
    )
    assert.equal(
      retryDelayMs(1, false, () => 0, 86_400),
      60_000
    )
    assert.equal(
      retryDelayMs(1, true, () => 0, 86_400),
      300_000
    )
  })

  it('is finite after any number of them', () => {
    assert.equal(
      retryDelayMs(100_000, true, () => 1),
      300_000
    )
  })
})
