/** Lets a number of tasks run at a time; the others wait their turn, first come, first served. */
export class ConcurrencyLimit {
  readonly #waiting: (() => void)[] = []
  #free: number

  /** @throws TypeError when `limit` would let nothing run */
  constructor(limit: number) {
    if (!Number.isInteger(limit) || limit < 1) throw new TypeError(`limit ${limit}: expected a positive integer`)
    this.#free = limit
  }

  /** Rejects with the signal's reason when it is aborted before the turn has come; later, that is up to `task`. */
  async run<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    await this.#acquire(signal)
    try {
      return await task()
    } finally {
      this.#release()
    }
  }

  #acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#free > 0) {
      this.#free -= 1
      return Promise.resolve()
    }
    return new Promise((resolve, reject) => {
      const turn = (): void => {
        signal.removeEventListener('abort', giveUp)
        resolve()
      }
      const giveUp = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1)
        reject(signal.reason)
      }
      signal.addEventListener('abort', giveUp, { once: true })
      this.#waiting.push(turn)
    })
  }

  #release(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free += 1
    else next()
  }
}
