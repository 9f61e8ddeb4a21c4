// `npm run test:cluster`: what needs root, network namespaces, helm, a browser or a real cluster. Linux, as root; it
// installs the Debian packages that it needs by itself. `npm run test:cluster -- FILE…` runs those files alone.
//
// COUNTERSIGN_TOOLS names a folder with kube, coredns and helm; see `npm run cluster -- --help`.

import { spawnSync } from 'node:child_process'
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { Progress } from '../test/cluster/progress.ts'
import { BROWSER, provideRequirements } from '../test/cluster/requirements.ts'

const root = join(import.meta.dirname, '..')
const named = process.argv.slice(2)
const everything = globSync('test/{netns,chart,browser,cluster/suite}/**/*.test.ts', { cwd: root }).sort()
const files = named.length > 0 ? named : everything

if (process.getuid?.() !== 0) {
  console.error('countersign: the cluster suite makes network namespaces and mounts: run it as root')
  process.exit(1)
}
await provideRequirements(true, new Progress(), [BROWSER])
console.log(`${files.length} test files`)

// One after the other: there is one cluster, and two of them would share two cores.
const { status } = spawnSync(
  process.execPath,
  ['--test', '--test-concurrency=1', '--test-timeout=1200000', '--test-reporter=spec', ...files],
  { cwd: root, stdio: 'inherit', env: { ...process.env, NODE_OPTIONS: '--disable-warning=ExperimentalWarning' } }
)
process.exit(status ?? 1)
