import { existsSync, readFileSync, statSync } from 'node:fs'
import { cp, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Image } from '../../tools/images/index.ts'
import { run } from './run.ts'

/** What a cache holds: images by name, with their digests, as a certain containerd keeps them. */
interface Contents {
  readonly containerd: string
  readonly images: Readonly<Record<string, string>>
}

const CONTENTS = 'contents.json'

/**
 * The folder in which a containerd keeps images, unpacked, from the last cluster. Nodes start with a copy of it:
 * importing is what takes longest, and every node would do it.
 *
 * A copy shares the files of images with the cache, by hard links. That is safe because nothing writes to them: blobs
 * never change, and a container that writes gets a copy of the file from overlayfs. The databases are copied.
 */
export class ImageCache {
  readonly #folder: string
  readonly #containerd: string
  #images: Contents['images']

  /**
   * @param folder the cache's own
   * @param containerd the version of the containerd that will read it
   */
  constructor(folder: string, containerd: string) {
    this.#folder = folder
    this.#containerd = containerd
    const contents = readContents(folder)
    // What another version wrote is not looked at.
    this.#images = contents?.containerd === containerd ? contents.images : {}
  }

  /** Those of the images that a copy lacks, or has in another state. */
  missing(images: readonly Image[]): Image[] {
    return images.filter(({ reference, digest }) => this.#images[reference] !== digest)
  }

  /** Makes the folder of a containerd that does not run yet. */
  async copyTo(root: string): Promise<void> {
    if (Object.keys(this.#images).length > 0) await copyRoot(this.#root, root)
  }

  /**
   * Keeps the folder of a containerd for the next ones.
   *
   * @param root of a containerd that does not run at the moment, and has run no container
   * @param added what was imported since it was copied from here
   */
  async replaceBy(root: string, added: readonly Image[]): Promise<void> {
    const images = { ...this.#images, ...Object.fromEntries(added.map(({ reference, digest }) => [reference, digest])) }
    await rm(this.#folder, { recursive: true, force: true })
    const unfinished = join(this.#folder, 'unfinished')
    await copyRoot(root, unfinished)
    await rename(unfinished, this.#root)
    const contents: Contents = { containerd: this.#containerd, images }
    await writeFile(join(this.#folder, CONTENTS), JSON.stringify(contents))
    this.#images = images
  }

  get #root(): string {
    return join(this.#folder, 'root')
  }
}

/** What this machine's containerd calls itself. */
export const containerdVersion = async (): Promise<string> => (await run('containerd', ['--version'])).trim()

function readContents(folder: string): Contents | undefined {
  const file = join(folder, CONTENTS)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Contents) : undefined
}

async function copyRoot(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true })
  const sameDisk = statSync(from).dev === statSync(dirname(to)).dev
  await run('cp', ['--archive', ...(sameDisk ? ['--link'] : []), '--no-target-directory', from, to])
  // Each plugin of containerd has a folder here, and some a database in it, which is changed in place.
  for (const plugin of await readdir(to)) {
    const databases = (await readdir(join(to, plugin))).filter(name => name.endsWith('.db'))
    for (const name of databases) {
      await rm(join(to, plugin, name))
      await cp(join(from, plugin, name), join(to, plugin, name))
    }
  }
}
