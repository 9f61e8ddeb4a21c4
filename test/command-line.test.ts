// Every program's command line: help that teaches, mistakes named all at once, exit codes that scripts can rely on.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'

const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'countersign-'))
after(() => rmSync(folder, { recursive: true, force: true }))

interface Result {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

function run(program: string, ...args: string[]): Result {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(root, program, 'main.ts'), ...args],
    {
      encoding: 'utf8',
      env: {},
      cwd: folder,
      timeout: 60_000
    }
  )
  return { status, out: stdout, err: stderr }
}

describe('the command line', () => {
  for (const program of ['authority', 'webhook', 'agent'])
    it(`of ${program} explains every option with its variable and default`, () => {
      const { status, out, err } = run(program, '--help')
      assert.deepEqual([status, err], [0, ''])
      const flags = (out.match(/^ {2}--[a-z-]+/gm) ?? []).filter(flag => flag.trim() !== '--help')
      assert.ok(flags.length >= 8, out)
      assert.equal((out.match(/COUNTERSIGN_[A-Z_]+\./g) ?? []).length, flags.length)
    })

  it('of authority names everything that is wrong with it at once', () => {
    const { status, err } = run(
      'authority',
      '--folder=/nowhere',
      '--certificate-lifetime=soon',
      '--listen-adress=0.0.0.0:1'
    )
    assert.equal(status, 2)
    for (const part of ['--folder', '/nowhere', '--certificate-lifetime', 'soon', '30s', 'listen-address', '--help'])
      assert.ok(err.includes(part), `${part} is missing in:\n${err}`)
  })

  it('of authority says what a folder needs beside it, and what means nothing without one', () => {
    const { status, err } = run('authority', `--folder=${folder}`, '--health-address=127.0.0.1:0')
    assert.equal(status, 2)
    for (const flag of ['--state', '--bundle-file', '--token-keys'])
      assert.ok(err.includes(`${flag}: required together with --folder`), err)
    const without = run('authority', '--state=/nowhere', '--health-address=127.0.0.1:0')
    assert.equal(without.status, 2)
    assert.match(without.err, /--state: only allowed together with --folder/)
  })

  it('of authority outside a cluster says how it finds one', () => {
    const { status, err } = run('authority', '--health-address=127.0.0.1:0')
    assert.equal(status, 2)
    assert.match(err, /this is not a pod.*--kubeconfig/)
  })

  it('of agent refuses a node whose name could be part of another identity', () => {
    const { status, err } = run('agent', '--node=a/../b', '--token=t', '--bundle=b')
    assert.equal(status, 2)
    assert.match(err, /--node "a\/\.\.\/b"/)
  })

  it('of agent refuses a state folder that others can read, and says how to mend it', () => {
    const state = mkdtempSync(join(folder, 'state-'))
    writeFileSync(join(state, 'agent.json'), '{}')
    chmodSync(state, 0o755)
    const { status, out } = run(
      'agent',
      '--node=a',
      '--token=t',
      '--bundle=b',
      `--state=${state}`,
      '--health-address=127.0.0.1:0'
    )
    assert.equal(status, 1)
    assert.match(out, /ERR_STATE_FOLDER_UNSAFE/)
    assert.ok(out.includes(`chmod 0700 ${state}`), out)
  })

  it('of countersign suggests the command that was meant', () => {
    const { status, err } = run('cli', 'dmo')
    assert.equal(status, 2)
    assert.match(err, /Did you mean demo/)
  })

  it('of countersign refuses an option that it does not know', () => {
    const { status, err } = run('cli', 'demo', '--kep')
    assert.equal(status, 2)
    assert.match(err, /--keep/)
  })

  it('of countersign validate names file, line and field, and tells errors by its exit code', () => {
    const file = join(folder, 'service.yaml')
    writeFileSync(file, 'apiVersion: v1\nkind: Service\nmetadata:\n  name: x\nspec:\n  ports:\n    - port: 99999\n')
    const bad = run('cli', 'validate', file)
    assert.equal(bad.status, 1)
    assert.match(bad.out, /service\.yaml:7:\d+: spec\.ports\[0\]\.port: .*99999/)
    assert.equal(run('cli', 'validate', join(root, 'examples/shop')).status, 0)
    assert.equal(run('cli', 'validate', join(folder, 'nothing')).status, 2)
  })

  it('of countersign validate shows what is seldom meant, and is content', () => {
    const file = join(folder, 'end-users.yaml')
    const head = 'apiVersion: countersign.dev/v1\nkind: EndUserAuthentication\nmetadata:\n  name: x\n'
    writeFileSync(file, `${head}spec:\n  issuer: https://accounts.example\n`)
    const { status, out } = run('cli', 'validate', file)
    assert.equal(status, 0)
    assert.match(out, /^warning: .*end-users\.yaml:6:\d+: spec\.audiences: absent: /m)
    assert.match(out, /0 errors, 1 warnings; read: .*1 endUserAuthentications/)
  })

  it('of npm commands names the commands that there are', () => {
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'tools/launch.mjs'), 'dmeo'], {
      encoding: 'utf8'
    })
    assert.equal(status, 1)
    assert.match(stderr, /demo, test, check/)
  })
})
