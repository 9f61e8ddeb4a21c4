import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { narrowPath, widePath } from './path-patterns.ts'
import { regex } from './regex.ts'

const raisesLimit = (expression: string): boolean => 'engineType' in regex(expression).value

describe('an expression', () => {
  for (const pattern of ['/health', '/api/*', '*.html', '/users/{id}/keys'])
    it(`for ${pattern} is within the limit of Envoy`, () => {
      assert.equal(raisesLimit(narrowPath(pattern)), false)
      assert.equal(raisesLimit(widePath(pattern)), false)
    })

  for (const pattern of [`/${'a'.repeat(100)}`, '/{a}/{b}/{c}/{d}/{e}/{f}'])
    it(`for ${pattern} raises it: Envoy would refuse the policy as a whole`, () =>
      assert.equal(raisesLimit(widePath(pattern)), true))
})
