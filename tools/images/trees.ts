import { existsSync, globSync, lstatSync, readFileSync, realpathSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { FileTree } from './file-tree.ts'
import { findProgram, sharedLibraries } from './libraries.ts'
import { type LockedPackages, productionPackages } from './production-packages.ts'

/** Where the sources of a program are in its image. */
export const APPLICATION = '/app'

// The users that images run as. Nothing looks them up but programs that ask for their own name.
const USERS = [
  ['root', 0, '/root'],
  ['nobody', 65534, '/'],
  ['countersign', 65532, '/'],
  ['countersign-proxy', 1337, '/']
] as const

/** What every image starts from: names of users, how to look up hosts, a folder for temporary files. */
function addBase(tree: FileTree): void {
  tree.write(
    '/etc/passwd',
    USERS.map(([name, id, home]) => `${name}:x:${id}:${id}:${name}:${home}:/sbin/nologin\n`).join('')
  )
  tree.write('/etc/group', USERS.map(([name, id]) => `${name}:x:${id}:\n`).join(''))
  tree.write('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n')
  tree.folder('/tmp', 0o1777)
}

/** A program of this machine at `path` of the image, with its libraries at the paths where they are looked for. */
function addProgram(tree: FileTree, path: string, file: string): void {
  tree.copy(path, file)
  for (const library of sharedLibraries(file)) tree.copy(library, library)
}

/** Node.js from the npm package for this machine's architecture, the one that the tests run with. */
export function nodeTree(root: string): FileTree {
  const node = join(root, `node_modules/node-linux-${process.arch}/bin/node`)
  if (!existsSync(node)) throw new Error(`${node} is missing: images are made on Linux (x64, arm64) after \`npm ci\``)
  const tree = new FileTree()
  addBase(tree)
  addProgram(tree, '/usr/local/bin/node', node)
  return tree
}

/** One program of this machine as the whole of an image. */
export function programTree(path: string, file: string): FileTree {
  const tree = new FileTree()
  addBase(tree)
  addProgram(tree, path, file)
  return tree
}

/**
 * Programs of Debian packages, on top of another layer.
 *
 * @throws Error naming the package that lacks
 */
export function toolsTree(tools: Readonly<Record<string, string>>): FileTree {
  const tree = new FileTree()
  for (const [name, debianPackage] of Object.entries(tools)) {
    const file = findProgram(name)
    if (file === undefined) throw new Error(`${name} is missing: \`apt-get install ${debianPackage}\``)
    // A program that acts by the name it is called by is there once, and its other names are links.
    const own = basename(realpathSync(file))
    addProgram(tree, `/usr/sbin/${own}`, file)
    if (own !== name) tree.link(`/usr/sbin/${name}`, own)
  }
  const xtables = tree.entries().find(({ path }) => basename(path).startsWith('libxtables.so.'))
  if (xtables !== undefined) addIptablesExtensions(tree, `/${xtables.path}`)
  return tree
}

/** What iptables opens by name for parts of rules: all of it, since it has to print rules of others as well. */
function addIptablesExtensions(tree: FileTree, library: string): void {
  const folder = join(dirname(realpathSync(library)), 'xtables')
  const extensions = globSync('lib{xt,ipt,ip6t}_*.so', { cwd: folder }).map(name => join(folder, name))
  for (const file of [...extensions, ...sharedLibraries(...extensions)]) tree.copy(file, file)
}

/** The sources of a program, and what makes Node.js take them for modules. */
export function sourcesTree(root: string, files: readonly string[], version: string): FileTree {
  const tree = new FileTree()
  tree.write(`${APPLICATION}/package.json`, `${JSON.stringify({ name: 'countersign', version, type: 'module' })}\n`)
  for (const file of ['LICENSE', 'NOTICE', ...files]) tree.copy(`${APPLICATION}/${file}`, join(root, file))
  return tree
}

// What Node.js never reads: declarations, maps, and the texts of a package but its licence.
const UNREAD = new Set(['.ts', '.mts', '.cts', '.map', '.md', '.markdown', '.flow', '.yml', '.yaml', '.tsbuildinfo'])
const UNREAD_FOLDERS = new Set([
  'node_modules',
  'test',
  'tests',
  '__tests__',
  'docs',
  'benchmark',
  'benchmarks',
  '.github'
])

/** npm packages, and all that they need, as they are installed in the checkout. */
export function packagesTree(root: string, names: readonly string[], development = false): FileTree {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: LockedPackages }
  const tree = new FileTree()
  for (const location of productionPackages(packages, names, development)) {
    const folder = join(root, location)
    if (!existsSync(folder)) {
      // That of another platform: in the lock file and not on disk.
      if (packages[location]?.optional === true) continue
      throw new Error(`${location} is not installed: run \`npm ci\``)
    }
    for (const file of filesOf(folder)) tree.copy(`${APPLICATION}/${location}/${file}`, join(folder, file))
  }
  return tree
}

function filesOf(folder: string): string[] {
  const skipped = (name: string): boolean => UNREAD_FOLDERS.has(basename(name))
  return globSync('**', { cwd: folder, exclude: skipped }).filter(file => isRead(join(folder, file)))
}

const isRead = (file: string): boolean =>
  lstatSync(file).isFile() && (!UNREAD.has(extname(file)) || /licen[cs]e|notice/i.test(basename(file)))
