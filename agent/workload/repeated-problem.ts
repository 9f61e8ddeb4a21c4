import type { Clock } from '../../shared/clock/index.ts'

const FIRST_REPEAT_MS = 60_000
const LONGEST_REPEAT_MS = 3_600_000

interface Standing {
  readonly reason: string
  readonly since: number
  readonly failures: number
  readonly sayAgainAt: number
  readonly intervalMs: number
}

/** What there is to say about a problem that lasts. */
export interface Saying {
  /** How many tries have failed since the problem began. */
  readonly failures: number
  /** For how long it has lasted. */
  readonly lastingMs: number
}

/**
 * Keeps a log readable while something is tried again and again: a problem is said at once, when its reason changes,
 * and for as long as it lasts after 1 minute, 2 minutes and so on up to every hour.
 */
export class RepeatedProblem {
  readonly #clock: Clock
  #standing: Standing | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Undefined: not now. */
  occurred(reason: string): Saying | undefined {
    const now = this.#clock.now()
    const before = this.#standing
    const since = before?.since ?? now
    const failures = (before?.failures ?? 0) + 1
    const news = before?.reason !== reason
    if (!news && now < before.sayAgainAt) {
      this.#standing = { ...before, failures }
      return undefined
    }
    const intervalMs = news ? FIRST_REPEAT_MS : Math.min(before.intervalMs * 2, LONGEST_REPEAT_MS)
    this.#standing = { reason, since, failures, intervalMs, sayAgainAt: now + intervalMs }
    return { failures, lastingMs: now - since }
  }

  /** It is over; undefined when there was none. */
  solved(): Saying | undefined {
    const before = this.#standing
    this.#standing = undefined
    return before && { failures: before.failures, lastingMs: this.#clock.now() - before.since }
  }
}
