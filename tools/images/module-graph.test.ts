import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { importsOf, moduleGraph } from './module-graph.ts'

describe('importsOf', () => {
  const rows: readonly [sentence: string, source: string, found: readonly string[]][] = [
    ['one name', "import { a } from './a.ts'", ['./a.ts']],
    ['a default', "import a from 'a'", ['a']],
    ['a side effect', "import './a.ts'", ['./a.ts']],
    ['double quotes, as generated code has', 'import { a } from "./a.js";', ['./a.js']],
    ['names over several lines', "import {\n  a,\n  b\n} from './a.ts'\nimport c from 'c'", ['./a.ts', 'c']],
    ['an export from elsewhere', "export * from './a.ts'\nexport { b } from './b.ts'", ['./a.ts', './b.ts']],
    ['a type among values, of which the module remains', "import { type A } from './a.ts'", ['./a.ts']],
    ['an import when it is needed', "const a = await import('./a.ts')", ['./a.ts']],
    ['a type alone', "import type { A } from './a.ts'\nexport type { B } from './b.ts'", []],
    ['an export of its own', "export const from = 'elsewhere'", []],
    ['a comment', "// import a from './a.ts'\n * import b from './b.ts'", []]
  ]
  for (const [sentence, source, found] of rows)
    it(`reads ${sentence}`, () => {
      assert.deepEqual(importsOf(source), found)
    })
})

describe('moduleGraph', () => {
  const root = mkdtempSync(join(tmpdir(), 'countersign-graph-'))
  after(() => rmSync(root, { recursive: true }))
  const write = (path: string, source: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), source)
  }

  it('follows imports through folders and rings, and names the packages', () => {
    write('program/main.ts', "import { a } from '../shared/a.ts'\nimport { readFile } from 'node:fs/promises'\n")
    write('shared/a.ts', "import { b } from './b/index.ts'\nimport { c } from '@scope/one/deep/file'\n")
    write('shared/b/index.ts', "import '../a.ts'\nimport two from 'two/part'\nimport fs from 'fs'\n")
    write('shared/unused.ts', "import 'three'\n")
    assert.deepEqual(moduleGraph(root, 'program/main.ts'), {
      files: ['program/main.ts', 'shared/a.ts', 'shared/b/index.ts'],
      packages: ['@scope/one', 'two']
    })
  })

  it('refuses an import of a file that is not there, naming both', () => {
    write('broken/main.ts', "import './missing.ts'\n")
    assert.throws(() => moduleGraph(root, 'broken/main.ts'), /broken\/main\.ts names broken\/missing\.ts/)
  })

  it('refuses a program that is not there', () => {
    assert.throws(() => moduleGraph(root, 'nothing/main.ts'), /names nothing\/main\.ts, and there is no such file/)
  })
})
