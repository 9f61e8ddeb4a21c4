import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { errorsPage } from '../../tools/docs/errors.ts'
import { CATALOGUE, CountersignError } from './index.ts'

describe('the error catalogue', () => {
  it('is what docs/errors.md says', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/errors.md'), 'utf8')
    assert.equal(page, errorsPage(), 'run `npm run docs`')
  })

  it('has sentences without a capital, a period or a table bar', () => {
    const entries = Object.entries(CATALOGUE)
    assert.ok(entries.length >= 15)
    for (const [code, { meaning, next }] of entries) {
      assert.match(code, /^ERR_[A-Z_]+$/)
      for (const sentence of [meaning, next]) assert.match(sentence, /^[^A-Z|][^|]*[^.|]$/, code)
    }
  })
})

describe('CountersignError.from', () => {
  it('lets our own errors pass', () => {
    const error = new CountersignError('ERR_CSR_REFUSED', 'no')
    assert.equal(CountersignError.from(error, 'ERR_INTERNAL'), error)
  })

  it('keeps what was caught as the cause and says in what context', () => {
    const cause = new Error('ENOENT')
    const error = CountersignError.from(cause, 'ERR_FILE_INVALID', 'reading a.yaml')
    assert.deepEqual([error.code, error.message, error.cause], ['ERR_FILE_INVALID', 'reading a.yaml: ENOENT', cause])
  })

  for (const thrown of [undefined, null, 0, '', 'text', {}, Symbol.iterator])
    it(`takes ${String(thrown)} for an internal error`, () => {
      assert.equal(CountersignError.from(thrown).code, 'ERR_INTERNAL')
    })
})
