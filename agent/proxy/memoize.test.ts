import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { memoize, memoizeKeyed, memoizePair } from './memoize.ts'

describe('memoization by identity', () => {
  it('computes once for an object, and again for an equal one', () => {
    let computed = 0
    const compute = memoize((input: { readonly n: number }) => ({ sum: input.n + computed++ }))
    const input = { n: 1 }
    assert.equal(compute(input), compute(input))
    assert.notEqual(compute({ n: 1 }), compute(input))
    assert.equal(computed, 2)
  })

  it('keeps a result that is undefined', () => {
    let computed = 0
    const compute = memoize((_: object): undefined => void computed++)
    const input = {}
    compute(input)
    compute(input)
    assert.equal(computed, 1)
  })

  it('computes a pair once for both, and again for either', () => {
    let computed = 0
    const compute = memoizePair((_first: object, _second: object) => computed++)
    const [a, b, c] = [{}, {}, {}]
    assert.deepEqual([compute(a, b), compute(a, b), compute(a, c), compute(b, a), compute(a, b)], [0, 0, 1, 2, 0])
  })

  it('computes once for each key of an object', () => {
    let computed = 0
    const compute = memoizeKeyed((_: object, key: string) => `${key}${computed++}`)
    const [a, b] = [{}, {}]
    assert.deepEqual([compute(a, 'x'), compute(a, 'y'), compute(a, 'x'), compute(b, 'x')], ['x0', 'y1', 'x0', 'x2'])
  })
})
