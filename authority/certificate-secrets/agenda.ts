/** An account whose Secret is to be written. */
export interface Turn {
  readonly namespace: string
  readonly account: string
}

/** How a write ended: `done`, or failed and to be tried again, ever `later`, or to be looked at again after so long. */
export type Ending = 'done' | 'later' | { readonly afterMs: number }

interface Course {
  /** Not written before, in milliseconds since the epoch. */
  readonly notBefore: number
  /** In a row. */
  readonly failures: number
  /** It is being written. */
  readonly busy: boolean
}

/** Somebody else who insists on something else is not fought faster than this. */
const BETWEEN_MS = 1_000
const LONGEST_MS = 60_000
const FRESH: Course = { notBefore: Number.NEGATIVE_INFINITY, failures: 0, busy: false }

/**
 * Says what is written next. Namespaces take turns, so that a flood in one holds up no other; within one it is what has
 * been due for longest, so that new accounts hold up no renewal. What failed waits, and holds up nothing.
 */
export class Agenda {
  /** By namespace, whoever was served longest ago first: since when each account has been due. */
  readonly #due = new Map<string, ReadonlyMap<string, number>>()
  readonly #courses = new Map<string, Map<string, Course>>()

  /** All that is due in a namespace now; times are milliseconds since the epoch. */
  set(namespace: string, due: ReadonlyMap<string, number>, now: number): void {
    this.#due.set(namespace, due)
    for (const [account, { busy, notBefore }] of this.#courses.get(namespace) ?? [])
      if (!due.has(account) && !busy && leftOf(notBefore, now) <= 0) this.#courses.get(namespace)?.delete(account)
  }

  drop(namespace: string): void {
    this.#due.delete(namespace)
    this.#courses.delete(namespace)
  }

  /**
   * Whose turn it is, or how long until it is somebody's.
   *
   * @param accepts whether something can be begun now; what cannot lets others pass, and is to be asked for again
   */
  next(now: number, accepts: (turn: Turn) => boolean = () => true): { readonly turn?: Turn; readonly inMs: number } {
    let inMs = Number.POSITIVE_INFINITY
    for (const [namespace, due] of this.#due) {
      let longest: { readonly account: string; readonly since: number } | undefined
      for (const [account, since] of due) {
        const { busy, notBefore } = this.#courseOf({ namespace, account })
        if (busy) continue
        const left = leftOf(notBefore, now)
        if (left > 0) inMs = Math.min(inMs, left)
        else if ((longest === undefined || since < longest.since) && accepts({ namespace, account }))
          longest = { account, since }
      }
      if (longest !== undefined) return { turn: { namespace, account: longest.account }, inMs: 0 }
    }
    return { inMs }
  }

  /** Until it has ended it is nobody's turn for the same account. */
  begun(turn: Turn): void {
    const { namespace } = turn
    const due = this.#due.get(namespace)
    if (due !== undefined) {
      this.#due.delete(namespace)
      this.#due.set(namespace, due)
    }
    this.#put(turn, { ...this.#courseOf(turn), busy: true })
  }

  /** How often writing failed before, in a row. */
  failuresOf(turn: Turn): number {
    return this.#courseOf(turn).failures
  }

  ended(turn: Turn, ending: Ending, now: number): void {
    if (!this.#due.has(turn.namespace)) return
    const { failures } = this.#courseOf(turn)
    if (ending === 'done') this.#put(turn, { ...FRESH, notBefore: now + BETWEEN_MS })
    else if (ending !== 'later') this.#put(turn, { busy: false, failures, notBefore: now + ending.afterMs })
    else {
      const delayMs = Math.min(LONGEST_MS, BETWEEN_MS * 2 ** failures)
      this.#put(turn, { busy: false, failures: failures + 1, notBefore: now + delayMs })
    }
  }

  #courseOf({ namespace, account }: Turn): Course {
    return this.#courses.get(namespace)?.get(account) ?? FRESH
  }

  #put({ namespace, account }: Turn, course: Course): void {
    const courses = this.#courses.get(namespace) ?? new Map<string, Course>()
    this.#courses.set(namespace, courses.set(account, course))
  }
}

/** More than anything ever waits means that the clock was set back meanwhile. */
function leftOf(notBefore: number, now: number): number {
  const left = notBefore - now
  return left > LONGEST_MS ? 0 : left
}
