import { type Clock, type Random, sleep } from '../clock/index.ts'
import { CountersignError } from '../errors/index.ts'
import type { Logger } from '../log/index.ts'
import { retryKubernetes } from './retry.ts'

export interface UpkeepOptions {
  /** For the log: `writing the trust bundle`. */
  readonly what: string
  /** Looks whether it is right and makes it so. False when that cannot be yet; then it waits for the next trigger. */
  readonly attempt: () => Promise<boolean>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** Somebody else who insists on something else is not fought faster than this. */
const PAUSE_MS = 1_000

/** Something in the API that is kept right: looked at after every trigger, one attempt at a time, never given up. */
export class Upkeep {
  readonly #options: UpkeepOptions
  readonly #end = new AbortController()
  readonly #first = Promise.withResolvers<void>()
  #working: Promise<void> | undefined
  #again = false

  constructor(options: UpkeepOptions) {
    this.#options = options
  }

  /** Resolves once it was right for the first time; never rejects. */
  get right(): Promise<void> {
    return this.#first.promise
  }

  /** To be called when it may be right no longer. */
  trigger(): void {
    this.#again = true
    if (this.#end.signal.aborted) return
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined
    })
  }

  async close(): Promise<void> {
    this.#end.abort()
    await this.#working
  }

  async #work(): Promise<void> {
    const { what, attempt, clock, random, log } = this.#options
    const { signal } = this.#end
    while (this.#again && !signal.aborted)
      try {
        this.#again = false
        if (await retryKubernetes(what, attempt, { clock, random, log, signal })) this.#first.resolve()
        await sleep(clock, PAUSE_MS, signal)
      } catch (thrown) {
        if (!signal.aborted) log.error({ what, err: CountersignError.from(thrown) }, 'something is not kept right')
      }
  }
}
