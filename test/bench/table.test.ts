import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { formatFigure, formatTable } from './table.ts'

describe('a table of figures', () => {
  it('has names to the left and figures to the right, under headings of any width', () => {
    const rows = [
      { name: 'ours', cells: ['1,234', '5'] },
      { name: 'a peer', cells: ['56', '7.89'] }
    ]
    assert.deepEqual(formatTable('title', { columns: ['per second', 'ms'], rows }).split('\n'), [
      'title',
      '           per second     ms',
      '  ours          1,234      5',
      '  a peer           56   7.89'
    ])
  })

  it('leaves out what was not measured', () => {
    const rows = [{ name: 'ours', cells: ['1', ''] }]
    assert.equal(formatTable('title', { columns: ['a', 'b'], rows }), 'title\n         a   b\n  ours   1')
  })
})

describe('a figure', () => {
  for (const [value, text] of [
    [0, '0.00'],
    [1.234, '1.23'],
    [12.34, '12.3'],
    [123.4, '123'],
    [1_234_567.8, '1,234,568']
  ] as const)
    it(`of ${value} is written as ${text}`, () => {
      assert.equal(formatFigure(value), text)
    })
})
