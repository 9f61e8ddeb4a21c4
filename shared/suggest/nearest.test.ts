import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { didYouMean, nearest } from './nearest.ts'

const FLAGS = ['listen-address', 'health-address', 'proxy-cpu', 'proxy-cpu-limit', 'log-level']

describe('the nearest candidate', () => {
  const near: Readonly<Record<string, string>> = {
    'listen-adress': 'listen-address',
    'listen-addresses': 'listen-address',
    'listne-address': 'listen-address',
    'Log-Level': 'log-level',
    loglevel: 'log-level',
    'proxy-cpu-limits': 'proxy-cpu-limit',
    'proxy-cpus': 'proxy-cpu'
  }
  for (const [word, expected] of Object.entries(near))
    it(`of ${word} is ${expected}`, () => assert.equal(nearest(word, FLAGS), expected))

  for (const word of ['', 'x', 'verbose', 'address', 'level', 'a'.repeat(10_000)])
    it(`of ${word.slice(0, 20) || 'nothing'} is none`, () => assert.equal(nearest(word, FLAGS), undefined))

  it('is none among none', () => assert.equal(nearest('x', []), undefined))

  it('counts a swap of neighbours once, so that a short word with one is still near', () => {
    assert.equal(nearest('cup', ['cpu']), 'cpu')
  })

  it('is offered as the end of a message', () => {
    assert.equal(didYouMean('log-levl', FLAGS), '; did you mean "log-level"')
    assert.equal(didYouMean('verbose', FLAGS), '')
  })
})
