import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** Bytes named by their own hash. */
export interface Blob {
  /** `sha256:` and 64 hex digits. */
  readonly digest: string
  readonly size: number
  readonly file: string
}

/**
 * A folder of layers, each made once: found again by a key, a hash of what the layer is made from.
 *
 * Safe when two processes fill it at once: files get their final name when they are whole.
 */
export class BlobStore {
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
  }

  /** The blob made from `key`, if it is still there. */
  async find(key: string): Promise<Blob | undefined> {
    try {
      const digest = await readFile(this.#keyFile(key), 'utf8')
      const file = this.#blobFile(digest)
      return { digest, file, size: (await stat(file)).size }
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw thrown
    }
  }

  async add(key: string, bytes: AsyncIterable<Buffer>): Promise<Blob> {
    await mkdir(join(this.#folder, 'blobs'), { recursive: true })
    await mkdir(join(this.#folder, 'keys'), { recursive: true })
    const unfinished = join(this.#folder, 'blobs', `unfinished-${process.pid}-${key}`)
    const hash = createHash('sha256')
    let size = 0
    await pipeline(
      bytes,
      async function* (chunks: AsyncIterable<Buffer>) {
        for await (const chunk of chunks) {
          hash.update(chunk)
          size += chunk.length
          yield chunk
        }
      },
      createWriteStream(unfinished)
    )
    const digest = `sha256:${hash.digest('hex')}`
    const file = this.#blobFile(digest)
    await rename(unfinished, file)
    await writeFile(this.#keyFile(key), digest)
    return { digest, size, file }
  }

  /** Forgets every blob but those made from these keys. */
  async keepOnly(keys: ReadonlySet<string>): Promise<void> {
    const blobs = await Promise.all([...keys].map(key => this.find(key)))
    const kept = new Set(blobs.map(blob => blob?.file))
    for (const key of await readdir(join(this.#folder, 'keys')))
      if (!keys.has(key)) await rm(this.#keyFile(key), { force: true })
    for (const name of await readdir(join(this.#folder, 'blobs'))) {
      const file = join(this.#folder, 'blobs', name)
      if (name.startsWith('sha256-') && !kept.has(file)) await rm(file, { force: true })
    }
  }

  #keyFile(key: string): string {
    return join(this.#folder, 'keys', key)
  }

  #blobFile(digest: string): string {
    return join(this.#folder, 'blobs', digest.replace(':', '-'))
  }
}
