import { readFile } from 'node:fs/promises'
import { CountersignError } from '../../shared/errors/index.ts'
import { writeFileAtomically } from '../../shared/files/index.ts'
import type { KeyStore } from './key-store.ts'

/** Keeps key sets in a file. */
export class FileKeyStore implements KeyStore {
  readonly location: string

  constructor(path: string) {
    this.location = path
  }

  /** @throws CountersignError ERR_STATE_CORRUPT when there is something that cannot be read */
  async load(): Promise<string | undefined> {
    try {
      return await readFile(this.location, 'utf8')
    } catch (thrown) {
      if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined
      throw CountersignError.from(thrown, 'ERR_STATE_CORRUPT', `key sets ${this.location}`)
    }
  }

  async save(text: string): Promise<void> {
    writeFileAtomically(this.location, text)
  }
}
