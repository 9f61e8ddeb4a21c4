import { type FSWatcher, watch } from 'node:fs'
import type { Clock } from '../clock/index.ts'
import type { Logger } from '../log/index.ts'

export interface FolderWatchOptions {
  readonly folder: string
  /** Looks at what is in the folder. Called by `start`, soon after every change, and at intervals. */
  readonly look: () => void
  readonly clock: Clock
  readonly log: Logger
  /** How often to look although nothing was heard of a change; 10 seconds unless given. */
  readonly intervalMs?: number
}

/**
 * Says when to look into a folder. The watch makes changes quick, the interval makes them certain: inotify has a limit
 * per user, drops events when there are many, and a folder that is replaced is not followed.
 *
 * It is always the folder that is watched, never a file in it: a file that is replaced by rename, or a projected volume
 * whose `..data` link is moved, has no events of its own.
 */
export class FolderWatch {
  readonly #options: FolderWatchOptions
  #watcher: FSWatcher | undefined
  #soon: NodeJS.Immediate | undefined
  #cancelInterval = (): void => {}
  #saidUnwatched = false

  constructor(options: FolderWatchOptions) {
    this.#options = options
  }

  /** Looks once before it returns. */
  start(): void {
    this.#cancelInterval = this.#options.clock.after(this.#options.intervalMs ?? 10_000, () => this.start())
    this.#follow()
    this.#options.look()
  }

  close(): void {
    this.#cancelInterval()
    clearImmediate(this.#soon)
    this.#watcher?.close()
    this.#watcher = undefined
  }

  #follow(): void {
    if (this.#watcher !== undefined) return
    const { folder, log, look } = this.#options
    try {
      const watcher = watch(folder, { persistent: false }, () => {
        // One write causes several events.
        clearImmediate(this.#soon)
        this.#soon = setImmediate(look)
      })
      watcher.on('error', err => {
        log.warn({ err, folder }, 'watch of a folder ended; it is looked at again at intervals')
        watcher.close()
        if (this.#watcher === watcher) this.#watcher = undefined
      })
      this.#watcher = watcher
      this.#saidUnwatched = false
    } catch (err) {
      if (!this.#saidUnwatched) log.warn({ err, folder }, 'folder cannot be watched; it is looked at at intervals')
      this.#saidUnwatched = true
    }
  }
}
