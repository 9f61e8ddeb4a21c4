import type { Clock } from '../../shared/clock/index.ts'

/** A moment, by both clocks of this machine, in milliseconds. */
export interface Moment {
  readonly wall: number
  readonly monotonic: number
}

/**
 * Measures time by two clocks, either of which can be wrong: the wall clock is set, and the monotonic one stands still
 * while the machine is suspended. Who must not act too early asks for the time that has passed at least, who must not
 * act too late for the time that may have passed.
 */
export class Stopwatch {
  readonly #clock: Clock
  readonly #monotonic: () => number

  constructor(clock: Clock, monotonic: () => number) {
    this.#clock = clock
    this.#monotonic = monotonic
  }

  now(): Moment {
    return { wall: this.#clock.now(), monotonic: this.#monotonic() }
  }

  /** The monotonic clock can only have missed time. */
  atLeastSince({ monotonic }: Moment): number {
    return this.#monotonic() - monotonic
  }

  /** What one clock missed the other has seen; more than passed makes who asks only more careful. */
  atMostSince({ wall, monotonic }: Moment): number {
    return Math.max(this.#clock.now() - wall, this.#monotonic() - monotonic)
  }
}
