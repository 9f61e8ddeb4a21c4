import type { BigIntStats } from 'node:fs'
import { lstat, readdir, stat } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'
import { type Problem, problemAt } from './problem.ts'

export interface FileEntry {
  readonly path: string
  /** In bytes. */
  readonly size: number
  /** Another value means that the file was changed or replaced. */
  readonly fingerprint: string
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number
}

export interface FolderEntry {
  readonly path: string
  /** Another value means that another folder is at that path. */
  readonly id: string
}

export interface Listing {
  readonly files: readonly FileEntry[]
  readonly folders: readonly FolderEntry[]
  readonly problems: readonly Problem[]
  /** Paths of which nothing is known at the moment: what they held is neither changed nor gone. */
  readonly unreadable: readonly string[]
}

const EXTENSIONS: readonly string[] = ['.yaml', '.yml', '.json']

/**
 * The manifests in a folder and the folders below it; links are followed, every folder is entered once. Names that
 * start with a dot are passed over: they are editors' files, and the folders behind the links of a mounted ConfigMap
 * (`..data`). A path that is a file itself is its own and only entry.
 *
 * Never throws: what cannot be read is a problem.
 */
export async function listFolder(root: string): Promise<Listing> {
  const lister = new Lister()
  await lister.visit(root, true)
  return lister
}

class Lister implements Listing {
  readonly files: FileEntry[] = []
  readonly folders: FolderEntry[] = []
  readonly problems: Problem[] = []
  readonly unreadable: string[] = []

  async visit(path: string, isRoot = false): Promise<void> {
    const isManifest = EXTENSIONS.includes(extname(path).toLowerCase())
    let stats: BigIntStats
    try {
      stats = await stat(path, { bigint: true })
    } catch (thrown) {
      // A file may have gone since its folder was read. A link to nothing is still there: it may be on its way elsewhere.
      if (isRoot || codeOf(thrown) !== 'ENOENT' || (await isLink(path))) this.#fail(path, codeOf(thrown))
      return
    }
    if (stats.isDirectory()) await this.#enter(path, stats)
    else if (stats.isFile() && (isManifest || isRoot)) this.#add(path, stats, isRoot)
    else if (isManifest || isRoot) this.#fail(path, 'it is neither a file nor a folder')
  }

  #add(path: string, stats: BigIntStats, isRoot: boolean): void {
    const { dev, ino, size, mtimeNs, ctimeNs } = stats
    const fingerprint = [dev, ino, size, mtimeNs, ctimeNs].join(' ')
    this.files.push({ path, size: Number(size), fingerprint, modifiedAt: Number(mtimeNs / 1_000_000n) })
    if (isRoot) this.folders.push({ path: dirname(path), id: 'parent' })
  }

  async #enter(path: string, { dev, ino }: BigIntStats): Promise<void> {
    const id = `${dev} ${ino}`
    if (this.folders.some(folder => folder.id === id)) return
    this.folders.push({ path, id })
    let names: readonly string[]
    try {
      names = await readdir(path)
    } catch (thrown) {
      this.#fail(path, codeOf(thrown))
      return
    }
    for (const name of names.filter(name => !name.startsWith('.')).sort()) await this.visit(join(path, name))
  }

  #fail(path: string, reason: string): void {
    this.unreadable.push(path)
    this.problems.push(problemAt('error', { file: path }, [], `cannot be read: ${reason}`))
  }
}

async function isLink(path: string): Promise<boolean> {
  const stats = await lstat(path).catch(() => undefined)
  return stats?.isSymbolicLink() ?? false
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown)
}
