import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatDuration, parseDuration } from './duration.ts'

describe('a duration', () => {
  const read: Readonly<Record<string, number>> = {
    '500ms': 500,
    '30s': 30_000,
    '1h30m': 5_400_000,
    '1.5h': 5_400_000,
    '90d': 7_776_000_000,
    '0s': 0
  }
  for (const [text, expected] of Object.entries(read))
    it(`${text} is ${expected} ms`, () => assert.equal(parseDuration(text), expected))

  for (const text of ['', '5', 's', '-1s', '+1s', '1 s', '1S', '1w', '.5s', '1.s', '1e3s', '1s ', `${'1'.repeat(10)}s`])
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseDuration(text), undefined))

  it('refuses a text of any length in no time', () => {
    assert.equal(parseDuration('1m'.repeat(100_000)), undefined)
  })

  it('is read again as it was written', () => {
    assert.equal(formatDuration(129_600_000), '1d12h')
    assert.equal(formatDuration(0), '0s')
    fc.assert(fc.property(fc.nat({ max: 2 ** 45 }), ms => assert.equal(parseDuration(formatDuration(ms)), ms)))
  })
})
