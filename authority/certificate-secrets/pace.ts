import { type Clock, sleep } from '../../shared/clock/index.ts'

/** Lets one after another through, at least so far apart. Measured as rests, not as times: clocks are set. */
export class Pace {
  readonly #clock: Clock
  readonly #betweenMs: number
  readonly #signal: AbortSignal
  #rest: Promise<unknown> = Promise.resolve()
  #queue: Promise<unknown> = Promise.resolve()

  /** @param signal ends all waiting */
  constructor(clock: Clock, betweenMs: number, signal: AbortSignal) {
    this.#clock = clock
    this.#betweenMs = betweenMs
    this.#signal = signal
  }

  /**
   * Resolves when it is the caller's turn, in the order of the calls.
   *
   * @throws the reason of the signal
   */
  turn(): Promise<void> {
    const mine = this.#queue.then(() => this.#wait())
    this.#queue = mine.catch(() => {})
    return mine
  }

  /** Nobody's turn comes for so long, whoever waits already included. */
  pause(ms: number): void {
    this.#rest = Promise.all([this.#rest, this.#sleep(ms)])
  }

  async #wait(): Promise<void> {
    for (let rest: unknown; rest !== this.#rest; ) {
      rest = this.#rest
      await rest
    }
    this.#signal.throwIfAborted()
    this.#rest = this.#sleep(this.#betweenMs)
  }

  #sleep(ms: number): Promise<void> {
    return sleep(this.#clock, ms, this.#signal).catch(() => {})
  }
}
