import { randomUUID } from 'node:crypto'
import { link, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { CountersignError } from '../../shared/errors/index.ts'
import type { RootPem, RootStore } from './store.ts'

// Certificate and key are one file, so that they appear together or not at all.
const FILE = 'root.pem'
const KEY_BEGINS = /^-----BEGIN [A-Z ]*PRIVATE KEY-----$/m

/** Keeps the root in a folder of mode 0700, in one file of mode 0600: the certificate, then the key. */
export class FileRootStore implements RootStore {
  readonly location: string
  readonly #folder: string

  constructor(folder: string) {
    this.#folder = folder
    this.location = join(folder, FILE)
  }

  /** @throws CountersignError ERR_ISSUER_UNUSABLE when the file cannot be read, or others can read it */
  async load(): Promise<RootPem | undefined> {
    const text = await this.#read()
    if (text === undefined) return undefined
    const keyAt = text.search(KEY_BEGINS)
    if (keyAt < 0) throw unusable(this.location, 'has no private key')
    return { certificatePem: text.slice(0, keyAt), keyPem: text.slice(keyAt) }
  }

  async #read(): Promise<string | undefined> {
    try {
      const { mode } = await stat(this.location)
      if ((mode & 0o077) !== 0)
        throw unusable(
          this.location,
          `has mode ${(mode & 0o777).toString(8)}: expected 600, so that nobody else reads it`
        )
      return await readFile(this.location, 'utf8')
    } catch (error) {
      if (isCode(error, 'ENOENT')) return undefined
      throw CountersignError.from(error, 'ERR_ISSUER_UNUSABLE', `root ${this.location}`)
    }
  }

  /** @throws CountersignError ERR_ISSUER_UNUSABLE when it cannot be written */
  async create(root: RootPem): Promise<boolean> {
    try {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
      const temporary = join(this.#folder, `.${FILE}.${randomUUID()}`)
      try {
        await writeDurably(temporary, root.certificatePem + root.keyPem)
        return await linkUnlessThere(temporary, this.location)
      } finally {
        await rm(temporary, { force: true })
        await syncFolder(this.#folder)
      }
    } catch (error) {
      throw CountersignError.from(error, 'ERR_ISSUER_UNUSABLE', `root ${this.location}`)
    }
  }
}

function unusable(location: string, why: string): CountersignError {
  return new CountersignError('ERR_ISSUER_UNUSABLE', `root ${location} ${why}`)
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** A link appears with its whole content and fails where there is a file already; renaming would replace it. */
async function linkUnlessThere(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw error
  }
}

/** A new name in a folder is durable once the folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
