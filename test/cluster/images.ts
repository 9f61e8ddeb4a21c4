import { join } from 'node:path'
import {
  APPLICATION,
  applicationTrees,
  buildImages,
  findProgram,
  type Image,
  nodeTree,
  programTree,
  type Recipe,
  recipes
} from '../../tools/images/index.ts'
import { ClusterError, SettingsError } from './cluster-error.ts'

const ROOT = join(import.meta.dirname, '../..')
const CACHE = join(ROOT, '.cache')

/** What the sandbox of every pod runs. */
export const PAUSE_IMAGE = 'countersign.dev/test/pause:1'
/** A shell and small tools, for tests: `sh`, `wget`, `nc`, `httpd`, `nslookup`, … */
const BUSYBOX_IMAGE = 'countersign.dev/test/busybox:1'
/** An application that speaks and calls in many protocols, for tests. */
const PROTOCOLS_IMAGE = 'countersign.dev/test/protocols:1'

const APPLETS = [
  'cat',
  'env',
  'false',
  'hostname',
  'httpd',
  'id',
  'ip',
  'ls',
  'nc',
  'nslookup',
  'ping',
  'ps',
  'sh',
  'sleep',
  'tail',
  'touch',
  'true',
  'wget'
]

/** What a cluster needs before anything else and what its tests run, made of this machine's busybox and Node.js. */
export async function baseImages(): Promise<readonly Image[]> {
  return [...(await buildImages(baseRecipes(), join(CACHE, 'cluster-images'))).values()]
}

function baseRecipes(): ReadonlyMap<string, Recipe> {
  const busybox = findProgram('busybox')
  if (busybox === undefined) throw new ClusterError('busybox is missing', 'install the Debian package busybox-static')
  const tree = programTree('/bin/busybox', busybox)
  for (const applet of APPLETS) tree.link(`/bin/${applet}`, 'busybox')
  const common = { version: '1', layers: () => [tree] }
  return new Map([
    // The kubelet kills it: there is nothing that it should do at its end.
    [
      'pause',
      {
        ...common,
        reference: PAUSE_IMAGE,
        title: 'pause',
        user: '65534:65534',
        entrypoint: ['/bin/sleep', '2147483647']
      }
    ],
    ['busybox', { ...common, reference: BUSYBOX_IMAGE, title: 'busybox', user: '0:0', entrypoint: ['/bin/sh'] }],
    ['protocols', protocolsRecipe()]
  ])
}

function protocolsRecipe(): Recipe {
  const entry = 'test/cluster/applications/protocols/main.ts'
  return {
    reference: PROTOCOLS_IMAGE,
    title: 'an application of many protocols',
    version: '1',
    user: '65532:65532',
    entry,
    entrypoint: ['/usr/local/bin/node', `${APPLICATION}/${entry}`],
    layers: () => [nodeTree(ROOT), ...applicationTrees(ROOT, entry, '1')]
  }
}

/**
 * The images of this checkout.
 *
 * @param names which of them; all without
 * @throws ClusterError when one cannot be made
 */
export async function checkoutImages(names?: readonly string[]): Promise<readonly Image[]> {
  const all = recipes(ROOT)
  const unknown = names?.find(name => !all.has(name))
  if (unknown !== undefined)
    throw new SettingsError(`there is no image ${unknown}`, `choose from ${[...all.keys()].join(', ')}`)
  const chosen = new Map([...all].filter(([name]) => names === undefined || names.includes(name)))
  try {
    return [...(await buildImages(chosen, join(CACHE, 'images'))).values()]
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new ClusterError(
      `the images of this checkout cannot be made: ${message}`,
      '`npm run images` shows the same',
      { cause }
    )
  }
}
