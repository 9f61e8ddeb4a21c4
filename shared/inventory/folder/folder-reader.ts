import { sep } from 'node:path'
import type { Clock } from '../../clock/index.ts'
import { assembleInventory, EMPTY_INVENTORY } from '../assemble.ts'
import type { Secret } from '../secret.ts'
import type { Inventory } from '../types.ts'
import { type FileState, nextFileState } from './file-state.ts'
import type { FileEntry, Listing } from './list-folder.ts'
import { type MergeOptions, mergeDeclarations } from './merge.ts'
import type { Problem } from './problem.ts'
import { readManifest } from './read-file.ts'

export interface Reading {
  readonly inventory: Inventory
  /** The same object as in the last reading when none of them changed. */
  readonly secrets: readonly Secret[]
  readonly problems: readonly Problem[]
}

interface Known {
  readonly state: FileState
  /** Of the file as it was read; absent when it must be read again even if it looks the same. */
  readonly fingerprint?: string
}

// Two writes within one tick of the file system's clock leave the same time; a younger file is read once more.
const SETTLED_AFTER_MS = 100

/** Keeps the state of every file from one reading to the next. Readings must not overlap. */
export class FolderReader {
  readonly #clock: Clock
  readonly #podCidrs: MergeOptions['podCidrs']
  #files: ReadonlyMap<string, Known> = new Map()
  #owners: ReadonlyMap<string, string> = new Map()
  #inventory: Inventory = EMPTY_INVENTORY
  #secrets: readonly Secret[] = []

  constructor(clock: Clock, podCidrs: MergeOptions['podCidrs'] = 'enforced') {
    this.#clock = clock
    this.#podCidrs = podCidrs
  }

  /** Never throws. The inventory is the same object as the last one when nothing changed. */
  async read(listing: Listing): Promise<Reading> {
    const files = new Map<string, Known>()
    for (const entry of listing.files) {
      const known = await this.#readFile(entry)
      if (known !== undefined) files.set(entry.path, known)
    }
    for (const [path, known] of this.#files)
      if (!files.has(path) && isBelow(path, listing.unreadable)) files.set(path, withoutFingerprint(known))
    this.#files = new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)))
    const states = [...this.#files.values()].map(({ state }) => state)
    const merged = mergeDeclarations(
      states.map(({ declarations }) => declarations),
      this.#owners,
      { podCidrs: this.#podCidrs, previousPods: this.#inventory.pods }
    )
    this.#owners = merged.owners
    this.#inventory = assembleInventory(this.#inventory, merged.inventory)
    // What a file holds stays the same objects until it changes. They are not compared: they do not show what they hold.
    if (!isSame(this.#secrets, merged.secrets)) this.#secrets = merged.secrets
    const problems = [...listing.problems, ...states.flatMap(({ problems }) => problems), ...merged.problems]
    return { inventory: this.#inventory, secrets: this.#secrets, problems: Object.freeze(problems) }
  }

  async #readFile(entry: FileEntry): Promise<Known | undefined> {
    const known = this.#files.get(entry.path)
    if (known?.fingerprint === entry.fingerprint) return known
    const content = await readManifest(entry)
    const now = this.#clock.now()
    const state = nextFileState(entry.path, known?.state, content, now)
    if (state === undefined) return undefined
    const isSettled = state.digest !== undefined && now - entry.modifiedAt > SETTLED_AFTER_MS
    return isSettled ? { state, fingerprint: entry.fingerprint } : { state }
  }
}

const isSame = (a: readonly Secret[], b: readonly Secret[]): boolean =>
  a.length === b.length && a.every((secret, index) => secret === b[index])

function withoutFingerprint({ state }: Known): Known {
  return { state }
}

function isBelow(path: string, folders: readonly string[]): boolean {
  return folders.some(folder => path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep))
}
