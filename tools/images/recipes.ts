import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findEnvoy } from '../../shared/config/index.ts'
import type { FileTree } from './file-tree.ts'
import type { ImageConfig } from './image.ts'
import { moduleGraph } from './module-graph.ts'
import { APPLICATION, nodeTree, packagesTree, programTree, sourcesTree, toolsTree } from './trees.ts'

/** How an image is made: what it is called and how it starts, and its layers from the bottom up. */
export interface Recipe extends ImageConfig {
  /** The program of this checkout that it runs, if it is one: relative to the root. */
  readonly entry?: string
  layers(): readonly FileTree[]
}

const IPTABLES_VARIANTS = ['nft', 'legacy']

/** Programs that capture runs, and the Debian packages that have them. */
export const CAPTURE_TOOLS: Readonly<Record<string, string>> = {
  ip: 'iproute2',
  nft: 'nftables',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  // Not `iptables` itself: which of the two that is, a machine decides for itself.
  ...Object.fromEntries(
    IPTABLES_VARIANTS.flatMap(variant =>
      ['iptables', 'ip6tables'].flatMap(program =>
        ['save', 'restore'].map(act => [`${program}-${variant}-${act}`, 'iptables'])
      )
    )
  )
}

// Any user that is neither root nor the proxy's, to whom capture makes an exception.
const UNPRIVILEGED = '65532:65532'

/** What is made of a checkout, by the short name that commands take. */
export function recipes(root: string): ReadonlyMap<string, Recipe> {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const envoyVersion = readFileSync(join(root, 'tools/envoy.txt'), 'utf8').trim().split('==')[1] ?? ''
  // One object for all images, so that its bytes are read and hashed once.
  const runtime = lazy(() => nodeTree(root))

  const application = (entry: string, tools?: Readonly<Record<string, string>>) => ({
    entry,
    entrypoint: ['/usr/local/bin/node', `${APPLICATION}/${entry}`],
    layers: () => [
      runtime(),
      ...(tools === undefined ? [] : [toolsTree(tools)]),
      ...applicationTrees(root, entry, version)
    ]
  })

  const program = (name: string, user: ImageConfig['user'], tools?: Readonly<Record<string, string>>): Recipe => ({
    reference: `countersign.dev/${name}:${version}`,
    title: `Countersign ${name}`,
    version,
    user,
    ...application(`${name}/main.ts`, tools)
  })

  return new Map<string, Recipe>([
    ['webhook', program('webhook', UNPRIVILEGED)],
    ['authority', program('authority', UNPRIVILEGED)],
    ['agent', program('agent', UNPRIVILEGED)],
    // It enters the namespaces of pods.
    ['node', program('node', '0:0', CAPTURE_TOOLS)],
    [
      'proxy',
      {
        reference: `countersign.dev/proxy:${envoyVersion}`,
        title: 'Countersign proxy: Envoy',
        version: envoyVersion,
        user: '1337:1337',
        entrypoint: ['/usr/local/bin/envoy'],
        layers: () => [programTree('/usr/local/bin/envoy', findEnvoy().envoy)]
      }
    ],
    [
      'echo',
      {
        reference: 'countersign.dev/examples/echo:1',
        title: 'Countersign example: an application that answers what it was told',
        version,
        user: UNPRIVILEGED,
        ...application('examples/echo/main.ts')
      }
    ]
  ])
}

/**
 * The packages that a program needs, where it needs any, and above them its sources, which change most often.
 *
 * @param development - it may need packages that are there for development only, as no program of the product may
 */
export function applicationTrees(root: string, entry: string, version: string, development = false): FileTree[] {
  const { files, packages } = moduleGraph(root, entry)
  const sources = sourcesTree(root, files, version)
  return packages.length === 0 ? [sources] : [packagesTree(root, packages, development), sources]
}

function lazy<T extends object>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}
