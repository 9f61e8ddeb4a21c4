// `npm test`: every test of the project but the cluster suite. `npm test -- FILE…` runs those files alone, and a folder
// stands for the test files below it. `npm test -- --test-name-pattern=…` and the other flags of `node --test` are
// passed on.

import { spawnSync } from 'node:child_process'
import { globSync, statSync } from 'node:fs'
import { join } from 'node:path'

// These need root, namespaces, a browser, a cluster or helm: `npm run test:cluster` runs them.
const CLUSTER_SUITE = ['test/cluster/suite', 'test/netns', 'test/chart', 'test/browser']

const root = join(import.meta.dirname, '..')
const given = process.argv.slice(2)
const flags = given.filter(argument => argument.startsWith('-'))
const named = given.filter(argument => !argument.startsWith('-')).flatMap(filesBelow)

const everything = globSync('{shared,webhook,authority,agent,node,cli,tools,test}/**/*.test.ts', {
  cwd: root,
  exclude: name => name.includes('node_modules') || CLUSTER_SUITE.some(folder => name.startsWith(folder))
}).sort()
const files = named.length > 0 ? named : everything
if (files.length === 0) {
  console.error(`countersign: no test file is named by ${given.join(' ')}`)
  process.exit(1)
}
console.log(`${files.length} test files`)

// Half of the files at once would be enough for speed; two leave room for the Envoys that tests start.
const { status } = spawnSync(
  process.execPath,
  ['--test', '--test-concurrency=2', '--test-timeout=300000', '--test-reporter=spec', ...flags, ...files],
  { cwd: root, stdio: 'inherit', env: { ...process.env, NODE_OPTIONS: '--disable-warning=ExperimentalWarning' } }
)
process.exit(status ?? 1)

/** The test files below a folder; a file is itself. */
function filesBelow(path: string): readonly string[] {
  if (statSync(join(root, path), { throwIfNoEntry: false })?.isDirectory() !== true) return [path]
  return globSync(`${path.replace(/\/+$/, '')}/**/*.test.ts`, { cwd: root }).sort()
}
