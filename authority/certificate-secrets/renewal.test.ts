import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { renewal } from './renewal.ts'
import { DAY, HOUR, NOW, SECOND } from './secrets.test-support.ts'

const BACKDATED = 60 * SECOND
const day = { notBefore: NOW - BACKDATED, notAfter: NOW + DAY, serialNumber: '4a5b' }
const reachOf = (now: number, wantedMs: number, issuerEnds: number): number => Math.min(now + wantedMs, issuerEnds)

describe('when a certificate in a Secret is renewed', () => {
  it('is at half of its life, give or take a tenth of that', () => {
    for (const serialNumber of ['00', '01', 'ff', 'deadbeef']) {
      const { due, lookAgainAt } = renewal({ ...day, serialNumber }, DAY, NOW + DAY, NOW)
      assert.equal(due, false)
      assert.ok(lookAgainAt >= NOW + 0.45 * DAY && lookAgainAt <= NOW + 0.55 * DAY)
      assert.equal(renewal({ ...day, serialNumber }, DAY, 1e15, lookAgainAt - 1).due, false)
      assert.equal(renewal({ ...day, serialNumber }, DAY, 1e15, lookAgainAt).due, true)
    }
  })

  it('is the same for two leaders, at whatever time they look', () => {
    const times = [NOW, NOW + HOUR, NOW + 0.4 * DAY].map(now => renewal({ ...day }, DAY, now + DAY, now).lookAgainAt)
    assert.equal(new Set(times).size, 1)
  })

  it('is spread over certificates that were made together', () => {
    const times = Array.from({ length: 1_000 }, (_, serial) => {
      const one = { ...day, serialNumber: serial.toString(16).padStart(32, '4') }
      return (renewal(one, DAY, NOW + DAY, NOW).lookAgainAt - NOW) / DAY
    })
    for (const from of [0.45, 0.475, 0.5, 0.525]) {
      const share = times.filter(time => time >= from && time < from + 0.025).length / times.length
      assert.ok(share > 0.15 && share < 0.35, `${share} of them from ${from}`)
    }
  })

  it('is at once where it has expired, whatever that brings, and where it has not begun', () => {
    assert.equal(renewal(day, DAY, NOW + DAY + 1, NOW + DAY).due, true)
    assert.equal(renewal(day, DAY, undefined, NOW + DAY).due, true)
    assert.equal(renewal(day, DAY, NOW + DAY, NOW - BACKDATED - 1).due, true)
  })

  it('lies within its life also where it was not backdated, and is shorter than that', () => {
    for (const notAfter of [NOW + 30 * SECOND, NOW + 60 * SECOND, NOW + 600 * SECOND]) {
      const { lookAgainAt } = renewal({ ...day, notBefore: NOW, notAfter }, DAY, undefined, NOW)
      assert.ok(lookAgainAt > NOW && lookAgainAt < notAfter)
    }
  })

  it('waits until it brings something where less is wanted by now, and blames no issuer', () => {
    const half = DAY / 2
    for (const part of [0.45, 0.5, 0.54]) {
      const now = NOW + part * DAY
      const found = renewal(day, half, now + half, now)
      assert.deepEqual([found.due, found.issuerEnds], [false, false])
      assert.ok(found.lookAgainAt >= NOW + 0.55 * DAY && found.lookAgainAt < day.notAfter)
    }
    assert.equal(renewal(day, half, NOW + 1.06 * DAY, NOW + 0.56 * DAY).due, true)
  })

  describe('while its issuer ends', () => {
    const late = NOW + 0.6 * DAY

    it('is not done where it brings nothing', () => {
      const found = renewal(day, DAY, day.notAfter, late)
      assert.deepEqual(found, { due: false, lookAgainAt: day.notAfter, issuerEnds: true })
    })

    it('is done where it brings a tenth of the wanted life', () => {
      assert.equal(renewal(day, DAY, day.notAfter + DAY / 10, late).due, true)
    })

    it('waits for the last tenth of its life where it brings less, and is done then', () => {
      const reach = day.notAfter + DAY / 10 - SECOND
      const waiting = renewal(day, DAY, reach, late)
      assert.deepEqual([waiting.due, waiting.issuerEnds], [false, true])
      assert.ok(waiting.lookAgainAt < day.notAfter && waiting.lookAgainAt > NOW + 0.89 * DAY)
      assert.equal(renewal(day, DAY, reach, waiting.lookAgainAt).due, true)
    })

    it('is not done where it would bring an earlier end', () => {
      for (const time of [late, NOW + 0.99 * DAY]) assert.equal(renewal(day, DAY, NOW + 0.7 * DAY, time).due, false)
    })
  })

  it('is within the life, comes to an end with the issuer, and never brings an earlier end', () => {
    const minutes = (max: number) => fc.integer({ min: 10, max }).map(count => count * 60 * SECOND)
    fc.assert(
      fc.property(minutes(5_000), minutes(5_000), minutes(20_000), fc.string(), (first, wanted, left, serial) => {
        const issuerEnds = NOW + left
        let present = { ...day, notAfter: Math.min(NOW + first, issuerEnds), serialNumber: `s${serial}` }
        let now = NOW
        let renewals = 0
        for (;;) {
          const found = renewal(present, wanted, reachOf(now, wanted, issuerEnds), now)
          if (!found.due) {
            assert.ok(found.lookAgainAt > now && found.lookAgainAt <= present.notAfter)
            now = found.lookAgainAt
            if (now >= issuerEnds) return
            continue
          }
          const notAfter = reachOf(now, wanted, issuerEnds)
          assert.ok(notAfter > present.notAfter, 'a later end')
          renewals += 1
          assert.ok(renewals <= 2 + left / (wanted * 0.05), 'not ever faster')
          present = { notBefore: now - BACKDATED, notAfter, serialNumber: `${serial}${renewals}` }
        }
      })
    )
  })
})
