import assert from 'node:assert/strict'
import { tmpdir } from 'node:os'
import { describe, it } from 'node:test'
import { parseOptions } from '../shared/config/index.ts'
import type { CountersignError } from '../shared/errors/index.ts'
import { OPTIONS } from './options.ts'
import { surroundings } from './settings.ts'

const optionsOf = (...argv: readonly string[]) => parseOptions(OPTIONS, argv, {})
const problemsOf = (...argv: readonly string[]): readonly unknown[] => {
  try {
    surroundings(optionsOf(...argv))
    return []
  } catch (thrown) {
    return (thrown as CountersignError).facts['problems'] as readonly string[]
  }
}

describe('the namespaces with certificates in Secrets', () => {
  const allowed: Readonly<Record<string, readonly [string, unknown]>> = {
    none: ['', []],
    one: ['shop', ['shop']],
    several: ['shop, bank', ['shop', 'bank']],
    all: ['*', '*']
  }
  for (const [what, [text, expected]] of Object.entries(allowed))
    it(`may be ${what}`, () => assert.deepEqual(optionsOf(`--secret-namespaces=${text}`).secretNamespaces, expected))

  it('are none by default', () => assert.deepEqual(optionsOf().secretNamespaces, []))

  for (const text of ['shop,*', '*,*', 'Shop', 'shop,,bank', 'sh*', 'a.b'])
    it(`are not ${text}`, () => {
      assert.throws(
        () => optionsOf(`--secret-namespaces=${text}`),
        /names of namespaces separated by commas, or \* alone/
      )
    })

  it('mean nothing with a folder', () => {
    const folder = `--folder=${tmpdir()}`
    assert.ok(!problemsOf(folder).some(problem => String(problem).includes('secret')))
    assert.ok(
      problemsOf(folder, '--secret-namespaces=*').includes('--secret-namespaces: not allowed together with --folder')
    )
  })
})

describe('the lifetimes of certificates in Secrets', () => {
  const lifetimes = (shortest: string, standard: string, longest: string): readonly unknown[] =>
    problemsOf(
      `--secret-shortest-lifetime=${shortest}`,
      `--secret-lifetime=${standard}`,
      `--secret-longest-lifetime=${longest}`
    )

  it('are between their ends, which may be the same', () => {
    assert.deepEqual(problemsOf(), [])
    assert.deepEqual(lifetimes('1h', '1h', '1h'), [])
  })

  it('are refused by name where they are not', () => {
    assert.deepEqual(problemsOf('--secret-lifetime=5m'), [
      '--secret-shortest-lifetime (10m): longer than --secret-lifetime (5m)'
    ])
    assert.deepEqual(lifetimes('1h', '2h', '90m'), [
      '--secret-longest-lifetime (1h30m): shorter than --secret-lifetime (2h)'
    ])
    assert.equal(lifetimes('3h', '2h', '1h').length, 2)
  })

  for (const text of ['29s', '91d', '0s', 'soon'])
    it(`are not ${text}`, () => assert.throws(() => optionsOf(`--secret-lifetime=${text}`), /30s to 90d/))
})
