import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Blob, BlobStore } from './blob-store.ts'
import type { FileTree } from './file-tree.ts'
import { createImage, type Image } from './image.ts'
import type { Recipe } from './recipes.ts'
import { tar } from './tar.ts'

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

// Part of every key: a change of how layers are written makes all of them anew.
const LAYER_FORMAT = '1'

/** A finished image, and how many of its layers were not in the cache. */
export type OnImage = (name: string, image: Image, layersMade: number) => void

interface Layer {
  readonly key: string
  readonly blob: Blob
  readonly made: boolean
}

/**
 * Makes images. A layer whose content was seen before comes out of the cache.
 *
 * @param cache a folder that is this function's own
 * @throws Error when something that an image consists of is not installed
 */
export async function buildImages(
  recipes: ReadonlyMap<string, Recipe>,
  cache: string,
  onImage: OnImage = () => {}
): Promise<ReadonlyMap<string, Image>> {
  const architecture = ARCHITECTURES[process.arch]
  if (architecture === undefined)
    throw new Error(`images are made for ${Object.keys(ARCHITECTURES).join(' and ')}, not for ${process.arch}`)
  const store = new BlobStore(join(cache, 'layers'))
  const known = new Map<FileTree, Layer>()
  const images = new Map<string, Image>()
  for (const [name, recipe] of recipes) {
    const layers: Layer[] = []
    let made = 0
    for (const tree of recipe.layers()) {
      const layer = known.get(tree) ?? (await layerOf(tree, store))
      if (!known.has(tree) && layer.made) made++
      known.set(tree, layer)
      layers.push(layer)
    }
    const blobs = layers.map(({ blob }) => blob)
    const image = createImage(recipe, blobs, architecture)
    images.set(name, image)
    await remember(cache, name, layers)
    onImage(name, image, made)
  }
  await store.keepOnly(await remembered(cache))
  return images
}

async function layerOf(tree: FileTree, store: BlobStore): Promise<Layer> {
  const key = `${LAYER_FORMAT}-${await tree.contentHash()}`
  const found = await store.find(key)
  return { key, blob: found ?? (await store.add(key, tar(tree.entries()))), made: found === undefined }
}

// Which layers each image had when it was last made: the others are what may be forgotten.
async function remember(cache: string, name: string, layers: readonly Layer[]): Promise<void> {
  await mkdir(join(cache, 'images'), { recursive: true })
  await writeFile(join(cache, 'images', name), layers.map(({ key }) => key).join('\n'))
}

async function remembered(cache: string): Promise<Set<string>> {
  const folder = join(cache, 'images')
  const lists = await Promise.all((await readdir(folder)).map(name => readFile(join(folder, name), 'utf8')))
  return new Set(lists.flatMap(list => list.split('\n')))
}
