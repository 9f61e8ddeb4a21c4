import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseQuantity, wholeUnits } from './quantity.ts'

describe('a quantity', () => {
  const amounts: Readonly<Record<string, bigint>> = {
    '0': 0n,
    '1': 1_000_000_000n,
    '100m': 100_000_000n,
    '0.1': 100_000_000n,
    '1500m': 1_500_000_000n,
    '1.5': 1_500_000_000n,
    '1n': 1n,
    '0.1n': 1n,
    '1u': 1_000n,
    '128Mi': 134_217_728n * 1_000_000_000n,
    '1Gi': 1_073_741_824n * 1_000_000_000n,
    '1G': 1_000_000_000n * 1_000_000_000n,
    '2k': 2_000n * 1_000_000_000n,
    '0.5Ki': 512n * 1_000_000_000n
  }
  for (const [text, nano] of Object.entries(amounts))
    it(`${text} is ${nano} billionths`, () => assert.deepEqual(parseQuantity(text), { text, nano }))

  for (const text of [
    '',
    '-1',
    '+1',
    '1.',
    '.5',
    '1e3',
    '1E',
    '1mi',
    '1MI',
    '1 Gi',
    '1,5',
    '0x1',
    'm',
    '1Kb',
    '1234567890123456789',
    '1.0123456789',
    'NaN',
    '１'
  ])
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseQuantity(text), undefined))

  it('is the same amount however it is written', () => {
    assert.equal(parseQuantity('2')?.nano, parseQuantity('2000m')?.nano)
    assert.equal(parseQuantity('1Gi')?.nano, parseQuantity('1024Mi')?.nano)
  })

  it('never counts for less than it is', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000_000 }),
        fc.constantFrom('n', 'u', 'm', '', 'Ki'),
        (amount, suffix) => {
          const quantity = parseQuantity(`${amount}${suffix}`)
          assert.ok(quantity !== undefined)
          assert.ok(BigInt(wholeUnits(quantity)) * 1_000_000_000n >= quantity.nano)
          assert.ok(wholeUnits(quantity) >= 1)
        }
      )
    )
  })
})
