// The table of values in the README of the chart. `node test/chart/readme.ts` writes it anew.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { CHART, read } from './helm.ts'
import { valuesTable } from './values-table.ts'

const BEGIN = '<!-- values: made by `node test/chart/readme.ts` -->'
const END = '<!-- end of values -->'

/** What a path of values.yaml leads to. */
export function defaultOf(path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], parse(read('values.yaml')))
}

/** The README as it should be, by what values.yaml says now. */
export function currentReadme(): string {
  const [before, rest] = read('README.md').split(BEGIN)
  const after = rest?.split(END)[1]
  if (before === undefined || after === undefined) throw new Error(`the README has no lines ${BEGIN} and ${END}`)
  return `${before}${BEGIN}\n${valuesTable(read('values.yaml'), defaultOf)}\n${END}${after}`
}

if (import.meta.main) writeFileSync(join(CHART, 'README.md'), currentReadme())
