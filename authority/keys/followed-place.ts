import type { Clock, Random } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { TokenBucket } from '../../shared/rate/index.ts'
import type { BlockedAddresses } from './blocked-addresses.ts'
import type { FetchDocument } from './fetch-document.ts'
import { type FetchedKeys, fetchKeys } from './fetch-keys.ts'
import { refreshDelayMs, retryDelayMs } from './freshness.ts'
import type { RememberedKeySet } from './kept-key-sets.ts'
import type { KeyPlace } from './key-source.ts'
import { afterAnswer, afterFailure, type Knowledge, UNKNOWN } from './knowledge.ts'
import type { FetchOutcome } from './observer.ts'
import type { Slots } from './slots.ts'

export interface FollowedPlaceOptions {
  readonly name: string
  readonly place: KeyPlace
  readonly timeoutMs: number
  /** What was known before a restart. */
  readonly remembered: RememberedKeySet | undefined
  readonly fetch: FetchDocument
  readonly blockedAddresses: BlockedAddresses
  readonly slots: Slots
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Called when more, or something else, is known. */
  readonly onKnown: (outcome: FetchOutcome) => void
}

// A few tokens at once may name keys that are new; made-up ones must not make a flood of us.
const UNKNOWN_KEYS_AT_ONCE = 5
const UNKNOWN_KEY_INTERVAL_MS = 10_000

/** The keys of one provider: fetched at the start, again before they age, at once when somebody misses one. */
export class FollowedPlace {
  readonly #options: FollowedPlaceOptions
  readonly #end = new AbortController()
  readonly #unknownKeys: TokenBucket
  #known: Knowledge
  #timeoutMs: number
  #looking: Promise<void> | undefined
  #active = false
  #dueAt: number
  #cancel = (): void => {}
  #told: string | undefined
  #toldPrivate = false

  constructor(options: FollowedPlaceOptions) {
    this.#options = options
    this.#timeoutMs = options.timeoutMs
    this.#unknownKeys = new TokenBucket(UNKNOWN_KEYS_AT_ONCE, UNKNOWN_KEY_INTERVAL_MS, options.clock)
    const { jwks, endpoints } = options.remembered ?? {}
    this.#known = { ...UNKNOWN, jwks, discovered: endpoints && { endpoints } }
    this.#dueAt = options.clock.now()
  }

  get known(): Knowledge {
    return this.#known
  }

  set timeoutMs(value: number) {
    this.#timeoutMs = value
  }

  /** Begins, or goes on as if it had never paused: a policy that is made and deleted all day fetches no more for it. */
  resume(): void {
    if (this.#active) return
    this.#active = true
    if (this.#looking === undefined) this.#arm()
  }

  /** Fetches nothing more; what is known is kept. */
  pause(): void {
    this.#active = false
    this.#cancel()
  }

  /** Somebody was shown a token with a key that is not among those known. */
  unknownKey(): void {
    // Whoever comes while an answer is awaited gets that one.
    if (this.#active && this.#looking === undefined && this.#unknownKeys.take()) this.#look()
  }

  async close(): Promise<void> {
    this.pause()
    this.#end.abort()
    await this.#looking
  }

  #arm(): void {
    const wait = this.#dueAt - this.#options.clock.now()
    if (wait <= 0) this.#look()
    else this.#cancel = this.#options.clock.after(wait, () => this.#look())
  }

  #look(): void {
    this.#cancel()
    this.#looking = this.#fetch().finally(() => {
      this.#looking = undefined
      if (this.#active) this.#arm()
    })
  }

  async #fetch(): Promise<void> {
    const { place, fetch, blockedAddresses, slots, clock, random, onKnown } = this.#options
    const { signal } = this.#end
    let outcome: FetchOutcome
    let waitMs: number | undefined
    try {
      const options = { fetch, blockedAddresses, clock, timeoutMs: this.#timeoutMs, signal }
      const answer = await slots.run(this.#known.failure !== undefined, signal, () => fetchKeys(place, options))
      outcome = this.#learn(answer)
      if (this.#known.failure === undefined) waitMs = refreshDelayMs(answer.freshMs, random)
    } catch (thrown) {
      if (signal.aborted) return
      const error = CountersignError.from(thrown)
      this.#known = afterFailure(this.#known, error, clock.now())
      outcome = OUTCOMES[error.code] ?? 'unavailable'
    }
    const { failure, jwks } = this.#known
    const asked = failure?.error.facts['retryAfterSeconds']
    const seconds = typeof asked === 'number' ? asked : 0
    waitMs ??= retryDelayMs(failure?.count ?? 1, jwks !== undefined, random, seconds)
    this.#dueAt = clock.now() + waitMs
    this.#tellFailure()
    onKnown(outcome)
  }

  #learn(answer: FetchedKeys): FetchOutcome {
    const { name, log, clock } = this.#options
    const before = this.#known
    this.#known = afterAnswer(before, answer, clock.now())
    const { url, count, refused } = answer
    if (refused.private !== undefined && !this.#toldPrivate) {
      this.#toldPrivate = true
      log.warn({ keySet: name, url }, 'a provider publishes a private key: it is not used, and should be replaced')
    }
    if (this.#known.discovered !== before.discovered)
      log.info({ keySet: name, ...this.#known.discovered }, 'endpoints for signing in replaced')
    if (this.#known.jwks !== before.jwks) log.info({ keySet: name, url, keys: count, refused }, 'keys replaced')
    if (answer.jwks === undefined) return 'empty'
    return this.#known.jwks === before.jwks && this.#known.discovered === before.discovered ? 'unchanged' : 'changed'
  }

  /** Once for each reason, and once when it is over. */
  #tellFailure(): void {
    const { name, log } = this.#options
    const error = this.#known.failure?.error
    if (error?.message === this.#told) return
    if (error === undefined) log.info({ keySet: name }, 'keys can be fetched again')
    else log.warn({ keySet: name, serving: this.#known.jwks !== undefined, err: error }, 'keys cannot be fetched')
    this.#told = error?.message
  }
}

const OUTCOMES: Readonly<Partial<Record<CountersignError['code'], FetchOutcome>>> = {
  ERR_KEYS_INVALID: 'invalid',
  ERR_KEYS_BLOCKED: 'blocked'
}
