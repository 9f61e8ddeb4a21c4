// `npm run check`: formatting and lint (Biome), types (tsc), dead code and unlisted dependencies (knip).
// `npm run format` is the same with --write: it mends what Biome can mend.
// Exit code 1 when any of them complains; all of them run, so that one run shows everything.

import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const write = process.argv.includes('--write')

const steps: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['format and lint', 'biome', 'check', '--error-on-warnings', ...(write ? ['--write'] : []), '.'],
  ['types', 'tsc'],
  ['dead code and dependencies', 'knip']
]

let failed = 0
for (const [name, command, ...args] of steps) {
  const began = performance.now()
  const { status } = spawnSync(join(root, 'node_modules/.bin', command), args, { cwd: root, stdio: 'inherit' })
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(`${status === 0 ? 'ok    ' : 'FAILED'} ${name} (${command}, ${seconds} s)`)
  if (status !== 0) failed++
}
process.exit(failed === 0 ? 0 : 1)
