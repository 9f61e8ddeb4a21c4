// What the command says before there is a cluster.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, it } from 'node:test'

const cluster = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  spawnSync(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], ...env }
  })

describe('npm run cluster', () => {
  it('teaches its commands and its environment', () => {
    const { status, stdout } = cluster(['--help'])
    assert.equal(status, 0)
    for (const word of [
      'up',
      'down',
      'status',
      'kubectl',
      'helm',
      'load',
      'NODES',
      'KUBERNETES',
      'COUNTERSIGN_TOOLS',
      'Exit code'
    ])
      assert.match(stdout, new RegExp(`\\b${word}\\b`), word)
  })

  const refusals: readonly [args: readonly string[], env: Record<string, string>, said: RegExp][] = [
    [[], {}, /Usage: cluster/],
    [['dwon'], {}, /unknown command 'dwon'\n\(Did you mean down\?\)/],
    [['up', '--fast'], {}, /unknown option '--fast'/],
    [['load'], {}, /missing required argument 'archives'/],
    [
      ['up'],
      { NODES: '99' },
      /cluster: NODES is 99, expected a number from 1 to 5\n {2}next: correct NODES or unset it/
    ],
    [['down'], { CLUSTER: '/proc/x' }, /the nodes have a \/proc of their own/]
  ]
  for (const [args, env, said] of refusals)
    it(`refuses \`${[...Object.entries(env).map(pair => pair.join('=')), 'cluster', ...args].join(' ')}\` with exit code 2`, () => {
      const { status, stderr } = cluster(args, env)
      assert.match(stderr, said)
      assert.equal(status, 2)
    })
})
