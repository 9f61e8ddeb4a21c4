import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { parseOptions } from '../shared/config/index.ts'
import { floorOf, NO_FLOOR } from '../shared/floor/index.ts'
import { WEBHOOK_OPTIONS } from './options.ts'
import { injectionSettings } from './settings.ts'

describe('the floor of the webhook', () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-floor-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  const settingsFor = (text: string, ...more: readonly string[]) => {
    const path = join(folder, 'floor.yaml')
    writeFileSync(path, text)
    return injectionSettings(parseOptions(WEBHOOK_OPTIONS, [`--floor=${path}`, ...more], {}))
  }

  it('is read from its file', () => {
    const { floor = NO_FLOOR } = settingsFor('namespaces: { shop: { injection: true } }')
    assert.deepEqual(
      [floorOf(floor, 'shop').injection, floorOf(floor, 'bank').injection, floorOf(floor, 'shop').mutualTls],
      [true, false, false]
    )
  })

  it('is none without a file', () => {
    const { floor } = injectionSettings(parseOptions(WEBHOOK_OPTIONS, [], {}))
    assert.equal(floor, NO_FLOOR)
  })

  const wrong: Readonly<Record<string, readonly [string, RegExp]>> = {
    'a field that it does not know': ['mesh: { strict: true }', /--floor .*floor\.yaml: mesh\.strict: unknown field/],
    'an empty file': ['', /--floor .*: the file: expected a mapping/],
    'a namespace that is never asked about': [
      'namespaces: { kube-system: { injection: true } }',
      /namespaces\.kube-system: expected a namespace that is not excluded from injection/
    ],
    'a namespace that options exclude': ['namespaces: { infra: { mutualTls: true } }', /namespaces\.infra: expected/]
  }
  for (const [what, [text, message]] of Object.entries(wrong))
    it(`stops the start with ${what}`, () =>
      assert.throws(() => settingsFor(text, '--excluded-namespaces=infra'), { code: 'ERR_OPTION_INVALID', message }))
})
