import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { renewalTime } from './renewal-time.ts'

const HOUR = 3_600_000
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const lifetime = fc.integer({ min: 10_000, max: 365 * 24 * HOUR })

describe('the time to renew', () => {
  it('is half of the life, ± 10 % of that half', () => {
    const life = { issuedAt: 100 * HOUR, notAfter: 124 * HOUR }
    assert.equal(
      renewalTime(life, () => 0.5),
      112 * HOUR
    )
    assert.equal(
      renewalTime(life, () => 0),
      100 * HOUR + 10.8 * HOUR
    )
    assert.ok(renewalTime(life, () => 0.999999) < 100 * HOUR + 13.2 * HOUR)
  })

  it('lies between 45 % and 55 % of any life, whatever the draw', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4e12 }), lifetime, random, (issuedAt, life, draw) => {
        const share = (renewalTime({ issuedAt, notAfter: issuedAt + life }, () => draw) - issuedAt) / life
        assert.ok(share >= 0.45 - 1e-6 && share <= 0.55 + 1e-6, String(share))
      })
    )
  })

  it('uses one draw', () => {
    let draws = 0
    renewalTime({ issuedAt: 0, notAfter: 1 }, () => {
      draws += 1
      return 0
    })
    assert.equal(draws, 1)
  })
})
