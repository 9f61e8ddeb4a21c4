import type { Random } from '../clock/index.ts'

export interface BackoffOptions {
  /** Longest first wait. */
  readonly firstMs: number
  /** Longest wait of all. */
  readonly longestMs: number
}

/**
 * Waits between attempts: the limit doubles with each attempt, and each wait is drawn between half of the limit and
 * the limit, so that a thousand clients of a server that restarted do not come back together.
 */
export class Backoff {
  readonly #options: BackoffOptions
  readonly #random: Random
  #limitMs: number

  constructor(options: BackoffOptions, random: Random) {
    this.#options = options
    this.#random = random
    this.#limitMs = options.firstMs
  }

  nextMs(): number {
    const wait = this.#limitMs * (0.5 + this.#random() / 2)
    this.#limitMs = Math.min(this.#limitMs * 2, this.#options.longestMs)
    return Math.round(wait)
  }

  reset(): void {
    this.#limitMs = this.#options.firstMs
  }
}
