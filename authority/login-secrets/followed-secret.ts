import type { Clock, Random } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { retryDelayMs } from '../../shared/kube/index.ts'
import { nameOf, type SecretPlace, type SecretReading, type SecretStore } from './secret-store.ts'

export interface FollowedSecretOptions {
  readonly store: SecretStore
  readonly place: SecretPlace
  readonly clock: Clock
  readonly random: Random
  /** Called after every look. */
  readonly onReading: () => void
}

const LOOK_AGAIN_MS = 30_000
/** A refusal that may pass is believed when it comes twice. */
const REFUSED_AGAIN_MS = 5_000

/** One entry of a Secret: read at once, again and again, and whenever somebody knows of a reason. */
export class FollowedSecret {
  readonly #options: FollowedSecretOptions
  readonly #end = new AbortController()
  readonly #first = Promise.withResolvers<void>()
  #reading: SecretReading | undefined
  #looking: Promise<void> | undefined
  #again = false
  #failures = 0
  #doubted = false
  #cancel = (): void => {}

  constructor(options: FollowedSecretOptions) {
    this.#options = options
  }

  /** Undefined until it was looked at once. A value stays while it cannot be told whether it is still there. */
  get reading(): SecretReading | undefined {
    return this.#reading
  }

  /** Resolves once it was looked at, with whatever result, or is closed; never rejects. */
  get looked(): Promise<void> {
    return this.#first.promise
  }

  /** Looks now; after what is under way, which may be too old. */
  look(): void {
    if (this.#end.signal.aborted) return
    this.#again = true
    this.#looking ??= this.#work().finally(() => {
      this.#looking = undefined
    })
  }

  /** Forgets it. */
  async close(): Promise<void> {
    this.#end.abort()
    this.#cancel()
    this.#reading = undefined
    this.#first.resolve()
    await this.#looking
  }

  async #work(): Promise<void> {
    const { clock, onReading } = this.#options
    const { signal } = this.#end
    let waitMs = LOOK_AGAIN_MS
    while (this.#again && !signal.aborted) {
      this.#again = false
      this.#cancel()
      waitMs = await this.#read()
    }
    if (signal.aborted) return
    this.#first.resolve()
    if (this.#options.store.subscribe === undefined || this.#failures > 0)
      this.#cancel = clock.after(waitMs, () => this.look())
    onReading()
  }

  /** @returns when to look again, in milliseconds */
  async #read(): Promise<number> {
    const { store, place, random } = this.#options
    try {
      const reading = await store.read(place, this.#end.signal)
      if (this.#end.signal.aborted) return LOOK_AGAIN_MS
      this.#failures = 0
      const passing = 'problem' in reading && reading.mayPass === true
      const doubted = passing && !this.#doubted && this.#has()
      this.#doubted = passing
      if (doubted) return REFUSED_AGAIN_MS
      this.#reading = reading
      // So that not all are asked for at the same time.
      return Math.round(LOOK_AGAIN_MS * (0.8 + 0.4 * random()))
    } catch (thrown) {
      if (this.#end.signal.aborted) return LOOK_AGAIN_MS
      if (!this.#has())
        this.#reading = { problem: `${nameOf(place)} cannot be read: ${CountersignError.from(thrown).message}` }
      return retryDelayMs(this.#failures++, random, thrown)
    }
  }

  #has(): boolean {
    return this.#reading !== undefined && 'value' in this.#reading
  }
}
