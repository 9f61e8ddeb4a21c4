import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock } from '../shared/clock/index.ts'
import { checkFolder, formatProblem } from '../shared/inventory/folder/index.ts'

const here = import.meta.dirname
const manifestsIn = (folder: string) => readdirSync(join(here, folder)).filter(file => file.endsWith('.yaml'))
const folders = readdirSync(here, { withFileTypes: true }).filter(
  entry => entry.isDirectory() && manifestsIn(entry.name).length > 0
)

test('there are examples', () => {
  assert.ok(folders.length >= 2)
})

for (const { name } of folders) {
  test(`everything in examples/${name} is read without a problem`, async () => {
    const { problems } = await checkFolder(join(here, name), systemClock)
    assert.deepEqual(problems.map(formatProblem), [])
  })

  test(`every file of examples/${name} starts by saying what it does`, () => {
    for (const file of manifestsIn(name)) assert.match(readFileSync(join(here, name, file), 'utf8'), /^# \S/, file)
  })
}

test('the shop is three programs with an account each, and one Service', async () => {
  const { inventory } = await checkFolder(join(here, 'shop'), systemClock)
  assert.deepEqual(
    inventory.serviceAccounts.map(({ name }) => name),
    ['guest', 'orders', 'storefront']
  )
  assert.deepEqual(
    inventory.services.map(({ name, ports }) => [name, ports[0]?.name, ports[0]?.number]),
    [['orders', 'http', 80]]
  )
  assert.equal(inventory.namespaces[0]?.labels['countersign.dev/inject'], 'enabled')
})
