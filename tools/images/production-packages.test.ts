import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { productionPackages } from './production-packages.ts'

const LOCKED = {
  '': {},
  'node_modules/a': { dependencies: { b: '1', '@scope/c': '1', '@types/node': '1' } },
  'node_modules/a/node_modules/b': { dependencies: { d: '1' } },
  'node_modules/b': {},
  'node_modules/@scope/c': { peerDependencies: { compiler: '*', absent: '*', d: '*' } },
  'node_modules/d': { dependencies: { a: '1' }, optionalDependencies: { fast: '1', elsewhere: '1' } },
  'node_modules/fast': { optional: true },
  'node_modules/compiler': { dev: true },
  'node_modules/@types/node': {},
  'node_modules/broken': { dependencies: { absent: '1' } },
  'node_modules/careless': { dependencies: { compiler: '1' } }
}

describe('productionPackages', () => {
  it('finds what a package needs, nearest first, once, around rings', () => {
    assert.deepEqual(productionPackages(LOCKED, ['a']), [
      'node_modules/@scope/c',
      'node_modules/a',
      'node_modules/a/node_modules/b',
      'node_modules/d',
      'node_modules/fast'
    ])
  })

  it('takes the outer one for who stands outside', () => {
    assert.deepEqual(productionPackages(LOCKED, ['b']), ['node_modules/b'])
  })

  it('takes what is there for development only where that is asked for', () => {
    assert.deepEqual(productionPackages(LOCKED, ['careless'], true), ['node_modules/careless', 'node_modules/compiler'])
  })

  it('needs nothing for nothing', () => {
    assert.deepEqual(productionPackages(LOCKED, []), [])
  })

  const refusals: readonly [name: string, message: RegExp][] = [
    ['missing', /a program needs the package missing, which package-lock\.json does not have/],
    ['broken', /node_modules\/broken needs the package absent/],
    ['compiler', /a program needs the package compiler, which is there for development only/],
    ['careless', /node_modules\/careless needs the package compiler, which is there for development only/]
  ]
  for (const [name, message] of refusals)
    it(`refuses ${name}`, () => {
      assert.throws(() => productionPackages(LOCKED, [name]), message)
    })
})
