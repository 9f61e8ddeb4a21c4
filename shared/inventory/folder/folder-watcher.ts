import { type FSWatcher, watch } from 'node:fs'
import type { Logger } from '../../log/index.ts'
import type { FolderEntry } from './list-folder.ts'

/**
 * Watches folders, each by itself: a watch on a file would follow the file that a rename has put aside, and the
 * recursive watch of Node.js on Linux does not enter linked folders.
 *
 * It may miss something and is allowed to: a link whose target changes elsewhere, a machine that has run out of
 * watches. Whoever uses it looks again from time to time.
 */
export class FolderWatcher {
  readonly #onEvent: () => void
  readonly #log: Logger
  readonly #watchers = new Map<string, FSWatcher>()
  #failed = false

  constructor(onEvent: () => void, log: Logger) {
    this.#onEvent = onEvent
    this.#log = log
  }

  /** Watches these folders and no others. True when there is a new one: what changed in it before was not seen. */
  update(folders: readonly FolderEntry[]): boolean {
    const wanted = new Map(folders.map(folder => [`${folder.id} ${folder.path}`, folder.path]))
    for (const [key, watcher] of this.#watchers)
      if (!wanted.has(key)) {
        this.#watchers.delete(key)
        watcher.close()
      }
    let isNew = false
    for (const [key, path] of wanted) if (!this.#watchers.has(key) && this.#watch(key, path)) isNew = true
    return isNew
  }

  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
  }

  #watch(key: string, path: string): boolean {
    try {
      const watcher = watch(path, { persistent: false }, () => this.#onEvent())
      watcher.on('error', err => {
        watcher.close()
        this.#watchers.delete(key)
        this.#reportOnce(path, err)
      })
      this.#watchers.set(key, watcher)
      return true
    } catch (err) {
      this.#reportOnce(path, err)
      return false
    }
  }

  #reportOnce(path: string, err: unknown): void {
    if (this.#failed) return
    this.#failed = true
    this.#log.warn({ folder: path, err }, 'a folder cannot be watched: changes are found by looking every few seconds')
  }
}
