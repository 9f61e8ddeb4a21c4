// `npm run images`: the images of this checkout as tar files. `--help` tells more.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { didYouMean } from '../../shared/suggest/index.ts'
import { buildImages } from './build-images.ts'
import { applicationTrees, type Recipe, recipes } from './recipes.ts'
import { unpack } from './unpack.ts'
import { writeArchive } from './write-archive.ts'

const root = join(import.meta.dirname, '../..')
const cache = join(root, '.cache/images')
const all = recipes(root)
const began = performance.now()

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`.padStart(9)
const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`

await new Command('images')
  .description('Makes the container images of this checkout as tar files, without a container engine or a registry.')
  .argument('[names...]', `which of them: ${[...all.keys()].join(', ')} (default: all)`, [])
  .option('--out <folder>', 'where the tar files go', join(root, '.cache/images/out'))
  .option('--app <folder>', 'write only the application of each named program, as a folder (the Dockerfile does)')
  .addHelpText(
    'after',
    `
Each image becomes NAME.tar, as \`docker save\` writes it: give it to \`docker load -i\`, to
\`ctr -n k8s.io images import\`, to skopeo, or to \`npm run cluster load\`. The same checkout on the same machine gives
the same digest twice. What did not change comes out of .cache/images.

Needed: Linux on x64 or arm64, an Envoy (the npm command installs it), and for the image \`node\` the Debian packages
iproute2, iptables, nftables and util-linux.

Exit code: 0 when all were made, 1 when something is missing, which the message names, 2 for a wrong option.`
  )
  .exitOverride(error => process.exit(error.exitCode === 0 ? 0 : 2))
  .action(async (names: string[], options: { out: string; app?: string }) => {
    const chosen = choose(names)
    try {
      await (options.app === undefined ? makeImages(chosen, options.out) : writeApplications(chosen, options.app))
    } catch (thrown) {
      console.error(`images: ${thrown instanceof Error ? thrown.message : thrown}`)
      process.exitCode = 1
    }
  })
  .parseAsync()

function choose(names: readonly string[]): ReadonlyMap<string, Recipe> {
  const unknown = names.find(name => !all.has(name))
  if (unknown === undefined)
    return names.length === 0 ? all : new Map([...all].filter(([name]) => names.includes(name)))
  console.error(
    `images: there is no image ${unknown}${didYouMean(unknown, all.keys())}; there are ${[...all.keys()].join(', ')}`
  )
  return process.exit(2)
}

async function makeImages(chosen: ReadonlyMap<string, Recipe>, out: string): Promise<void> {
  let since = performance.now()
  const images = await buildImages(chosen, cache, (name, image, made) => {
    const state = made === 0 ? 'unchanged' : `${made} of ${image.layers.length} layers made`
    console.log(`images: ${name}: ${state} (${seconds(since)})`)
    since = performance.now()
  })
  for (const [name, image] of images) {
    const file = join(out, `${name}.tar`)
    const { size, written } = await writeArchive(image, file, cache)
    console.log(
      `${megabytes(size)}  ${image.digest.slice(0, 19)}  ${image.reference}  ${file}${written ? '' : ' (unchanged)'}`
    )
  }
  console.log(`images: ${images.size} images in ${seconds(began)}`)
}

async function writeApplications(chosen: ReadonlyMap<string, Recipe>, folder: string): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  for (const [name, { entry }] of chosen) {
    if (entry === undefined) throw new Error(`${name} is not a program of this checkout`)
    for (const tree of applicationTrees(root, entry, version)) await unpack(tree, join(folder, name))
  }
}
