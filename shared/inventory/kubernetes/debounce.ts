import type { Clock } from '../../clock/index.ts'

export interface DebounceTimes {
  /** So long after the last trigger, in milliseconds. */
  readonly quietMs: number
  /** And never longer than this after the first. */
  readonly longestMs: number
}

/** Makes one call of many triggers. */
export class Debounce {
  readonly #clock: Clock
  readonly #times: DebounceTimes
  readonly #call: () => void
  #firstAt: number | undefined
  #cancel = (): void => {}

  constructor(clock: Clock, times: DebounceTimes, call: () => void) {
    this.#clock = clock
    this.#times = times
    this.#call = call
  }

  trigger(): void {
    const now = this.#clock.now()
    this.#firstAt ??= now
    const { quietMs, longestMs } = this.#times
    const delayMs = Math.min(quietMs, Math.max(0, this.#firstAt + longestMs - now))
    this.#cancel()
    this.#cancel = this.#clock.after(delayMs, () => {
      this.#firstAt = undefined
      this.#call()
    })
  }

  cancel(): void {
    this.#cancel()
    this.#firstAt = undefined
  }
}
