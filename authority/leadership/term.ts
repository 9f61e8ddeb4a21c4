import type { Clock } from '../../shared/clock/index.ts'
import type { Moment } from './stopwatch.ts'

/** One time of leading, which somebody looks at again when it may be over. */
export class Term {
  readonly #clock: Clock
  readonly #look: () => void
  readonly #ended = new AbortController()
  #sentAt: Moment = { wall: 0, monotonic: 0 }
  #cancel = (): void => {}

  constructor(clock: Clock, look: () => void) {
    this.#clock = clock
    this.#look = look
  }

  get signal(): AbortSignal {
    return this.#ended.signal
  }

  /** When the renewal was sent from which the term is counted. */
  get sentAt(): Moment {
    return this.#sentAt
  }

  renewed(sentAt: Moment, leftMs: number): void {
    this.#sentAt = sentAt
    this.lookAgainAfter(leftMs)
  }

  lookAgainAfter(leftMs: number): void {
    this.#cancel()
    this.#cancel = this.#clock.after(leftMs, this.#look)
  }

  end(): void {
    this.#cancel()
    this.#ended.abort(new Error('this replica leads no more'))
  }
}
