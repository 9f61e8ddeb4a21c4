import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { annotationsPage } from '../../tools/docs/annotations.ts'
import { ANNOTATIONS } from './index.ts'

describe('the table of annotations', () => {
  it('is what docs/annotations.md says', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/annotations.md'), 'utf8')
    assert.equal(page, annotationsPage(), 'run `npm run docs`')
  })

  it('has names under one prefix, and phrases without a capital, a period or a table bar', () => {
    assert.ok(ANNOTATIONS.size >= 7)
    for (const [name, { meaning, allowed, standard }] of ANNOTATIONS) {
      assert.match(name, /^countersign\.dev\/[a-z-]+$/)
      for (const phrase of [meaning, allowed, standard]) assert.match(phrase, /^(CPU|IPv|[^A-Z|])[^|]*[^.|]$/, name)
    }
  })
})
