import type { Clock } from '../clock/index.ts'

/** Allows `capacity` at once, and one more after each `intervalMs`. */
export class TokenBucket {
  readonly #capacity: number
  readonly #intervalMs: number
  readonly #clock: Clock
  #level: number
  #filledAt: number

  constructor(capacity: number, intervalMs: number, clock: Clock) {
    this.#capacity = capacity
    this.#intervalMs = intervalMs
    this.#clock = clock
    this.#level = capacity
    this.#filledAt = clock.now()
  }

  /** False when there is nothing left to take at present. */
  take(): boolean {
    const now = this.#clock.now()
    // A clock that was set back fills nothing; it must not empty the bucket for as long as it was ahead.
    const gained = Math.max(0, Math.floor((now - this.#filledAt) / this.#intervalMs))
    this.#level = Math.min(this.#capacity, this.#level + gained)
    this.#filledAt =
      now < this.#filledAt || this.#level === this.#capacity ? now : this.#filledAt + gained * this.#intervalMs
    if (this.#level === 0) return false
    this.#level -= 1
    return true
  }
}
