import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { bytesOf, type Content, type TarEntry } from './tar.ts'

const DIRECTORY_MODE = 0o755

/**
 * The files of one image layer. What comes out is sorted, has every parent folder, and does not depend on the order
 * in which it went in, on owners, on times, or on the umask of who checked the sources out.
 */
export class FileTree {
  readonly #entries = new Map<string, TarEntry>()

  /** A file with these bytes; a text is encoded as UTF-8. */
  write(path: string, content: string | Buffer, mode = 0o644): void {
    this.#add({ type: 'file', path: relative(path), mode, content: Buffer.from(content) })
  }

  /** A copy of a file on disk; links are followed. It is executable when its owner may execute it. */
  copy(path: string, file: string): void {
    const { size, mode } = statSync(file)
    const executable = (mode & 0o100) !== 0
    this.#add({ type: 'file', path: relative(path), mode: executable ? 0o755 : 0o644, content: { file, size } })
  }

  /** A symbolic link. */
  link(path: string, target: string): void {
    this.#add({ type: 'link', path: relative(path), target })
  }

  folder(path: string, mode = DIRECTORY_MODE): void {
    this.#add({ type: 'directory', path: relative(path), mode })
  }

  /** Every entry, parents before what is in them, in the order of their bytes. */
  entries(): TarEntry[] {
    return [...this.#entries.values()].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
  }

  /** A hash of everything that the layer depends on: equal hashes are equal layers. */
  async contentHash(): Promise<string> {
    const hash = createHash('sha256')
    for (const entry of this.entries()) {
      hash.update(JSON.stringify([entry.type, entry.path, 'mode' in entry ? entry.mode : entry.target]))
      if (entry.type === 'file') hash.update(await hashOf(entry.content))
    }
    return hash.digest('hex')
  }

  #add(entry: TarEntry): void {
    this.#addParents(entry.path)
    this.#entries.set(entry.path, entry)
  }

  #addParents(path: string): void {
    const parent = dirname(path)
    if (parent === '.' || this.#entries.has(parent)) return
    this.#addParents(parent)
    this.#entries.set(parent, { type: 'directory', path: parent, mode: DIRECTORY_MODE })
  }
}

async function hashOf(content: Content): Promise<Buffer> {
  const hash = createHash('sha256')
  for await (const chunk of bytesOf(content)) hash.update(chunk)
  return hash.digest()
}

/** @throws TypeError for a path that would leave the image */
function relative(path: string): string {
  const inside = path.replace(/^\/+|\/+$/g, '')
  if (inside === '' || inside.split('/').some(part => part === '' || part === '.' || part === '..'))
    throw new TypeError(`bad path in an image: ${JSON.stringify(path)}`)
  return inside
}
