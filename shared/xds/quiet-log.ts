import type { Clock } from '../clock/index.ts'

const DEFAULT_INTERVAL_MS = 60_000

/**
 * Lets a client's complaint through once in a while: whoever refuses everything, or asks nonsense in a loop, must not
 * fill the log. What was left out is counted, and told with the next one that passes.
 */
export class QuietLog {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #said = new Map<string, { until: number; suppressed: number }>()

  constructor(clock: Clock, intervalMs = DEFAULT_INTERVAL_MS) {
    this.#clock = clock
    this.#intervalMs = intervalMs
  }

  /** Calls `write` unless it was called for this key within the interval. */
  once(key: string, write: (facts: { readonly suppressed: number }) => void): void {
    const now = this.#clock.now()
    const said = this.#said.get(key)
    if (said !== undefined && now < said.until) {
      said.suppressed += 1
      return
    }
    this.#forget(now)
    this.#said.set(key, { until: now + this.#intervalMs, suppressed: 0 })
    write({ suppressed: said?.suppressed ?? 0 })
  }

  get size(): number {
    return this.#said.size
  }

  // Keys hold names of peers, which come and go.
  #forget(now: number): void {
    for (const [key, { until }] of this.#said) if (until + this.#intervalMs <= now) this.#said.delete(key)
  }
}
