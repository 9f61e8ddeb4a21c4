// The clock and randomness, as arguments.
//
// In: nothing. Out: the time, timers, random numbers, so that tests can hold or move each of them.
// Never: a monotonic clock for what is compared with a certificate; a suspended machine must wake up right.

/** Wall-clock time in milliseconds since the epoch, and timers that fire after that many of them. */
export interface Clock {
  now(): number
  /** Calls `callback` once after `delayMs`; the returned function cancels. Never keeps the process alive. */
  after(delayMs: number, callback: () => void): () => void
}

/** Uniform in [0, 1). */
export type Random = () => number

// A timer longer than this overflows in Node.js and fires at once; it also bounds how late a wake-up is noticed.
const LONGEST_TIMER_MS = 1_000

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, callback) {
    // Timers count monotonic time, which stands still while a machine is suspended; short steps that look at the wall
    // clock again make a deadline that passed meanwhile fire within a second of waking up. A wall clock that is set
    // back must not put off a retry by an hour: whichever clock gets there first counts.
    const deadline = Date.now() + delayMs
    const end = performance.now() + delayMs
    let timer: NodeJS.Timeout
    const step = (): void => {
      const left = Math.min(deadline - Date.now(), end - performance.now())
      if (left <= 0) callback()
      else timer = setTimeout(step, Math.min(left, LONGEST_TIMER_MS)).unref()
    }
    timer = setTimeout(step, Math.max(0, Math.min(delayMs, LONGEST_TIMER_MS))).unref()
    return () => clearTimeout(timer)
  }
}

/** Resolves after `delayMs`, or rejects with the signal's reason as soon as it is aborted. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = (): void => {
      cancel()
      reject(signal?.reason)
    }
    const cancel = clock.after(delayMs, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
