import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '../../shared/log/index.ts'
import { SvidFile } from './svid-file.ts'

// Dots only between other characters, no slash: a pod UID can neither leave the folder nor hide in it.
const OWNER = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/
const FILE = /^(.+?)\.json(?:\.corrupt)?$/

/** The SVIDs of the pods, a file each. */
export class SvidFolder {
  readonly #path: string
  readonly #log: Logger

  constructor(path: string, log: Logger) {
    this.#path = path
    this.#log = log
  }

  /** @throws TypeError when `podUid` could not be a file's name; volumes with such a UID are refused before */
  file(podUid: string): SvidFile {
    if (!OWNER.test(podUid)) throw new TypeError(`pod UID ${JSON.stringify(podUid)} cannot be the name of a file`)
    return new SvidFile(join(this.#path, `${podUid}.json`), podUid, this.#log)
  }

  /** Pods of which something is kept, usable or not. */
  owners(): readonly string[] {
    const owners = readdirSync(this.#path).map(name => FILE.exec(name)?.[1] ?? '')
    return [...new Set(owners.filter(owner => OWNER.test(owner)))]
  }
}
