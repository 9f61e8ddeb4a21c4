import type { Clock } from '../../clock/index.ts'
import { CountersignError } from '../../errors/index.ts'
import type { Logger } from '../../log/index.ts'
import { sizesOf } from '../assemble.ts'
import type { Secret } from '../secret.ts'
import type { Inventory, InventorySource } from '../types.ts'
import { FolderReader, type Reading } from './folder-reader.ts'
import { FolderWatcher } from './folder-watcher.ts'
import { type Listing, listFolder } from './list-folder.ts'
import type { Problem } from './problem.ts'
import { ProblemLog } from './problem-log.ts'

/** Quiet time after a change before the folder is read: an editor's or installer's several steps become one. */
const DEBOUNCE_MS = 100
/** The longest that changes without a pause are left waiting. */
const LONGEST_DEBOUNCE_MS = 1_000
/** How often the folder is looked at without having been told to. */
const LOOK_AGAIN_MS = 5_000

export interface FolderOptions {
  /** The folder, or a single file. */
  readonly path: string
  readonly clock: Clock
  readonly log: Logger
  /** Default true. Without it changes are found by looking every 5 s alone, as on network file systems. */
  readonly watch?: boolean
  /** Whether a pod may hold an address outside of its Node's `spec.podCIDRs`. Default: enforced, it may not. */
  readonly podCidrs?: 'enforced' | 'ignored'
}

/**
 * An inventory from a folder of manifests, kept current.
 *
 * A file with a mistake keeps its last good state while all others apply; one that has never been good counts as far
 * as it is good. So the source is usable from the start whatever the files hold, and `problems()` says what is wrong:
 * whether to start with problems is for its user to decide.
 */
export class FolderSource implements InventorySource {
  readonly #path: string
  readonly #clock: Clock
  readonly #log: Logger
  readonly #reader: FolderReader
  readonly #watcher: FolderWatcher | undefined
  readonly #problemLog: ProblemLog
  readonly #listeners = new Set<() => void>()
  #reading: Reading
  #queue: Promise<void> = Promise.resolve()
  #firstEventAt: number | undefined
  #cancelDebounce = (): void => {}
  #cancelLookAgain = (): void => {}
  #closed = false

  private constructor({ path, clock, log, watch = true }: FolderOptions, reader: FolderReader, reading: Reading) {
    this.#path = path
    this.#clock = clock
    this.#log = log.child({ room: 'inventory' })
    this.#reader = reader
    this.#reading = reading
    this.#problemLog = new ProblemLog(this.#log)
    this.#watcher = watch ? new FolderWatcher(() => this.#debounce(), this.#log) : undefined
  }

  /**
   * Reads the folder once and goes on watching it.
   *
   * @throws CountersignError ERR_FILE_INVALID when there is nothing at the path that could be read
   */
  static async open(options: FolderOptions): Promise<FolderSource> {
    const reader = new FolderReader(options.clock, options.podCidrs)
    const reading = await reader.read(await listExisting(options.path))
    const source = new FolderSource(options, reader, reading)
    source.#problemLog.report(reading.problems)
    // Watches are set only now; what changed meanwhile is found by this second look.
    await source.rescan()
    source.#lookAgain()
    return source
  }

  current(): Inventory {
    return this.#reading.inventory
  }

  /** Secrets of type Opaque. Subscribers are told of their changes, too. The same object until one of them changed. */
  secrets(): readonly Secret[] {
    return this.#reading.secrets
  }

  problems(): readonly Problem[] {
    return this.#reading.problems
  }

  subscribe(listener: () => void): () => void {
    const own = (): void => listener()
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  /** Looks at the folder now. Resolves when what was there at the call has been read. Never rejects. */
  rescan(): Promise<void> {
    this.#queue = this.#queue.then(() => this.#scan())
    return this.#queue
  }

  /** Stops watching; the last inventory stays. Nobody is told anything afterwards. */
  async close(): Promise<void> {
    this.#closed = true
    this.#cancelDebounce()
    this.#cancelLookAgain()
    this.#watcher?.close()
    this.#listeners.clear()
    await this.#queue
  }

  async #scan(): Promise<void> {
    if (this.#closed) return
    let listing = await listFolder(this.#path)
    if (this.#isClosed()) return
    if (this.#watcher?.update(listing.folders)) listing = await listFolder(this.#path)
    const reading = await this.#reader.read(listing)
    if (this.#isClosed()) return
    const { inventory, secrets } = this.#reading
    const changed = reading.inventory !== inventory || reading.secrets !== secrets
    this.#reading = reading
    this.#problemLog.report(reading.problems)
    if (changed) this.#announce(reading.inventory)
  }

  #announce(inventory: Inventory): void {
    this.#log.info(sizesOf(inventory), 'the folder has changed')
    for (const listener of [...this.#listeners])
      try {
        listener()
      } catch (err) {
        this.#log.error({ err }, 'a listener of the folder failed')
      }
  }

  #debounce(): void {
    if (this.#closed) return
    this.#cancelDebounce()
    const now = this.#clock.now()
    this.#firstEventAt ??= now
    const delay = Math.min(DEBOUNCE_MS, Math.max(0, this.#firstEventAt + LONGEST_DEBOUNCE_MS - now))
    this.#cancelDebounce = this.#clock.after(delay, () => {
      this.#firstEventAt = undefined
      void this.rescan()
    })
  }

  #lookAgain(): void {
    this.#cancelLookAgain = this.#clock.after(LOOK_AGAIN_MS, () => {
      void this.rescan().then(() => {
        if (!this.#closed) this.#lookAgain()
      })
    })
  }

  // A method, because the compiler would take the field for unchanged across an await.
  #isClosed(): boolean {
    return this.#closed
  }
}

/**
 * Reads a folder, or a single file, once.
 *
 * @throws CountersignError ERR_FILE_INVALID when there is nothing at the path that could be read
 */
export async function checkFolder(path: string, clock: Clock): Promise<Reading> {
  return await new FolderReader(clock).read(await listExisting(path))
}

async function listExisting(path: string): Promise<Listing> {
  const listing = await listFolder(path)
  const problem = listing.problems.find(({ file }) => file === path)
  if (problem !== undefined) throw new CountersignError('ERR_FILE_INVALID', `${path} ${problem.message}`)
  return listing
}
