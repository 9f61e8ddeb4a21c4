import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'

/** What is done while leading, until its signal is aborted. */
export type Task = (signal: AbortSignal) => Promise<void>

interface Entry {
  readonly task: Task
  readonly removed: AbortController
  /** Ends with the last run of the task. */
  last: Promise<void>
}

/** Runs tasks term by term. A task that is slow to end begins its next run only then. */
export class TaskRunner {
  readonly #log: Logger
  readonly #entries = new Set<Entry>()
  #term: AbortSignal | undefined

  constructor(log: Logger) {
    this.#log = log
  }

  /** The returned function ends the task and waits for it. */
  add(task: Task): () => Promise<void> {
    const entry: Entry = { task, removed: new AbortController(), last: Promise.resolve() }
    this.#entries.add(entry)
    if (this.#term !== undefined) this.#start(entry, this.#term)
    return async () => {
      entry.removed.abort()
      await entry.last
      this.#entries.delete(entry)
    }
  }

  begin(term: AbortSignal): void {
    this.#term = term
    for (const entry of this.#entries) this.#start(entry, term)
  }

  /** Resolves when no task runs; to be called when the term is over. */
  async ended(): Promise<void> {
    await Promise.all([...this.#entries].map(({ last }) => last))
  }

  #start(entry: Entry, term: AbortSignal): void {
    const signal = AbortSignal.any([term, entry.removed.signal])
    entry.last = entry.last.then(async () => {
      if (signal.aborted) return
      try {
        await entry.task(signal)
      } catch (thrown) {
        if (!signal.aborted)
          this.#log.error(
            { err: CountersignError.from(thrown) },
            'a task of the leader failed and rests until the next'
          )
      }
    })
  }
}
