import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { parseOptions } from '../shared/config/index.ts'
import type { CountersignError } from '../shared/errors/index.ts'
import { floorOf, NO_FLOOR } from '../shared/floor/index.ts'
import { OPTIONS } from './options.ts'
import { admissionRules, surroundings } from './settings.ts'

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

describe('which pods get certificates', () => {
  const kubernetes = { kind: 'kubernetes', kubeconfig: undefined, tokenIssuer: undefined } as const
  const folder = { kind: 'folder', folder: '', state: '', bundleFile: '', tokenKeys: '', tokenIssuer: '' } as const

  it('are those that are enrolled, and none of excluded namespaces', () => {
    const { enrolment } = admissionRules(optionsOf('--excluded-namespaces=a,b', '--system-namespace=mesh'), kubernetes)
    assert.equal(enrolment?.unenrolledPods, 'denied')
    assert.deepEqual([...(enrolment?.excludedNamespaces ?? [])].sort(), [
      'a',
      'b',
      'kube-node-lease',
      'kube-system',
      'mesh'
    ])
  })

  it('are all where the operator allows it', () =>
    assert.equal(
      admissionRules(optionsOf('--unenrolled-pods=allowed'), kubernetes).enrolment?.unenrolledPods,
      'allowed'
    ))

  it('are all with a folder, where nothing reads the labels of namespaces', () =>
    assert.deepEqual(admissionRules(optionsOf(), folder), { floor: NO_FLOOR }))

  it('cannot be said otherwise', () =>
    assert.throws(() => optionsOf('--unenrolled-pods=some'), /one of denied, allowed/))
})

describe('the floor of the authority', () => {
  const place = { kind: 'kubernetes', kubeconfig: undefined, tokenIssuer: undefined } as const
  let scratch = ''
  before(() => {
    scratch = mkdtempSync(join(tmpdir(), 'countersign-floor-'))
  })
  after(() => rmSync(scratch, { recursive: true }))

  const rulesOf = (text: string) => {
    const path = join(scratch, 'floor.json')
    writeFileSync(path, text)
    return admissionRules(optionsOf(`--floor=${path}`), place)
  }

  it('is read from its file', () => {
    const { floor = NO_FLOOR } = rulesOf('{"mesh":{"mutualTls":true}}')
    assert.equal(floorOf(floor, 'shop').mutualTls, true)
  })

  it('stops the start where it is not valid', () =>
    assert.throws(() => rulesOf('{"mesh":{"mutualTLS":true}}'), {
      code: 'ERR_OPTION_INVALID',
      message: /--floor .*floor\.json: mesh\.mutualTLS: unknown field; did you mean "mutualTls"/
    }))
})
