interface Waiting {
  readonly suspect: boolean
  readonly begin: () => void
}

/**
 * How many things are done at the same time. Those that failed the last time are suspects: they may take half of the
 * slots only, so that any number of providers that do not answer leaves room for those that do.
 */
export class Slots {
  readonly #most: number
  readonly #mostSuspects: number
  #taken = 0
  #suspects = 0
  #waiting: Waiting[] = []

  constructor(most: number) {
    this.#most = most
    this.#mostSuspects = Math.max(1, Math.floor(most / 2))
  }

  /** Runs it when there is a slot, in the order of arrival; rejects with the signal's reason when aborted before. */
  async run<T>(suspect: boolean, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    await this.#enter(suspect, signal)
    try {
      return await task()
    } finally {
      this.#taken -= 1
      if (suspect) this.#suspects -= 1
      this.#admit()
    }
  }

  #enter(suspect: boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const leave = (): void => {
        this.#waiting = this.#waiting.filter(other => other !== waiting)
        reject(signal.reason)
      }
      const begin = (): void => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const waiting: Waiting = { suspect, begin }
      signal.addEventListener('abort', leave, { once: true })
      this.#waiting.push(waiting)
      this.#admit()
    })
  }

  #admit(): void {
    while (this.#taken < this.#most) {
      const next = this.#waiting.findIndex(({ suspect }) => !suspect || this.#suspects < this.#mostSuspects)
      const [waiting] = next < 0 ? [] : this.#waiting.splice(next, 1)
      if (waiting === undefined) return
      this.#taken += 1
      if (waiting.suspect) this.#suspects += 1
      waiting.begin()
    }
  }
}
