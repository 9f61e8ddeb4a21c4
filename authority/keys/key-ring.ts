import type { Clock, Random } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import type { BlockedAddresses } from './blocked-addresses.ts'
import { documentFetcher, type FetchDocument } from './fetch-document.ts'
import { FollowedPlace } from './followed-place.ts'
import type { RememberedKeySet } from './kept-key-sets.ts'
import type { KeySetState, KeySetStatus } from './key-set-state.ts'
import { type KeyPlace, type KeySource, keyPlace, keySetName } from './key-source.ts'
import { conditionOf } from './knowledge.ts'
import type { KeysObserver } from './observer.ts'
import { Slots } from './slots.ts'
import { usableKeys } from './usable-keys.ts'

export interface KeyRingOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly blockedAddresses: BlockedAddresses
  /** Further roots for TLS, PEM. */
  readonly ca?: () => string | undefined
  /** Default: by HTTP. */
  readonly fetch?: FetchDocument
  /** Key sets of before a restart, by name: they serve until their providers answer. */
  readonly remembered?: ReadonlyMap<string, RememberedKeySet>
  readonly observer?: KeysObserver
}

const MOST_FETCHES = 8
const TIMEOUT_MS = 5_000
const LONGEST_TIMEOUT_MS = 30_000
/** A policy that is deleted and made again, or edited there and back, keeps its keys. */
const GRACE_MS = 60_000

interface Wanted {
  readonly place: KeyPlace
  timeoutMs: number
}

/** The key sets that policies want, each fetched once for the whole mesh. */
export class KeyRing {
  readonly #options: KeyRingOptions
  readonly #log: Logger
  readonly #fetch: FetchDocument
  readonly #slots = new Slots(MOST_FETCHES)
  readonly #places = new Map<string, FollowedPlace>()
  /** Places that nobody wants any more, and how to keep them after all. */
  readonly #leaving = new Map<string, () => void>()
  readonly #listeners = new Set<() => void>()
  /** Ends of waiting for what is not settled. */
  readonly #settling = new Set<() => void>()
  #inline: ReadonlyMap<string, KeySetState> = new Map()
  #wanted: ReadonlySet<string> = new Set()
  #current: ReadonlyMap<string, KeySetState> = new Map()
  #closed = false

  constructor(options: KeyRingOptions) {
    this.#options = options
    this.#log = options.log.child({ room: 'keys' })
    this.#fetch = options.fetch ?? documentFetcher(options)
  }

  /** What is wanted now, all of it. Places that are new are fetched at once; those that are gone are left. */
  follow(sources: readonly KeySource[]): void {
    if (this.#closed) return
    const wanted = wantedPlaces(sources)
    this.#wanted = new Set(wanted.keys())
    const inline = new Map<string, KeySetState>()
    for (const [name, { place, timeoutMs }] of wanted)
      if (place.kind === 'inline') inline.set(name, this.#inline.get(name) ?? inlineState(name, place.text))
      else this.#enter(name, place, timeoutMs)
    this.#inline = inline
    for (const name of this.#places.keys()) if (!wanted.has(name)) this.#leave(name)
    this.#publish()
  }

  /** By name. The same object until something changed. */
  current(): ReadonlyMap<string, KeySetState> {
    return this.#current
  }

  /** Calls back after every change; the returned function ends it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * A token named a key that is not in this set. Its provider is asked at once: five times, then once in ten seconds,
   * however many tokens there are. A name that is not followed is ignored.
   */
  unknownKey(name: string): void {
    if (this.#wanted.has(name)) this.#places.get(name)?.unknownKey()
  }

  /** Resolves once every set that is wanted has its keys or is known to have none, and after `longestMs` in any case. */
  settled(longestMs: number): Promise<void> {
    return new Promise(resolve => {
      const isSettled = (): boolean =>
        this.#closed || [...this.#current.values()].every(({ condition }) => condition.status !== 'waiting')
      if (isSettled()) return resolve()
      const end = (): void => {
        cancel()
        unsubscribe()
        this.#settling.delete(end)
        resolve()
      }
      const cancel = this.#options.clock.after(longestMs, end)
      const unsubscribe = this.subscribe(() => {
        if (isSettled()) end()
      })
      this.#settling.add(end)
    })
  }

  /** Ends every request and timer. */
  async close(): Promise<void> {
    this.#closed = true
    for (const end of [...this.#settling]) end()
    for (const cancel of this.#leaving.values()) cancel()
    await Promise.all([...this.#places.values()].map(place => place.close()))
  }

  #enter(name: string, place: KeyPlace, timeoutMs: number): void {
    this.#leaving.get(name)?.()
    this.#leaving.delete(name)
    let followed = this.#places.get(name)
    if (followed === undefined) {
      const { clock, random, remembered, observer, blockedAddresses } = this.#options
      followed = new FollowedPlace({
        name,
        place,
        timeoutMs,
        remembered: remembered?.get(name),
        fetch: this.#fetch,
        blockedAddresses,
        slots: this.#slots,
        clock,
        random,
        log: this.#log,
        onKnown: outcome => {
          observer?.onFetch(outcome)
          this.#publish()
        }
      })
      this.#places.set(name, followed)
    }
    followed.timeoutMs = timeoutMs
    followed.resume()
  }

  #leave(name: string): void {
    if (this.#leaving.has(name)) return
    const place = this.#places.get(name)
    place?.pause()
    const forget = (): void => {
      this.#leaving.delete(name)
      this.#places.delete(name)
      void place?.close()
    }
    this.#leaving.set(name, this.#options.clock.after(GRACE_MS, forget))
  }

  #publish(): void {
    if (this.#closed) return
    const next = new Map<string, KeySetState>()
    for (const name of [...this.#wanted].sort()) {
      const state = this.#inline.get(name) ?? this.#stateOf(name)
      if (state !== undefined) next.set(name, state)
    }
    this.#report(next)
    const isSame =
      next.size === this.#current.size && [...next].every(([name, state]) => this.#current.get(name) === state)
    if (isSame) return
    this.#current = next
    for (const listener of [...this.#listeners]) listener()
  }

  /** The same object as before where it says the same. */
  #stateOf(name: string): KeySetState | undefined {
    const place = this.#places.get(name)
    if (place === undefined) return undefined
    const { jwks, discovered } = place.known
    const condition = conditionOf(place.known)
    const before = this.#current.get(name)
    const isSame =
      before?.jwks === jwks &&
      before?.discovered === discovered &&
      before?.condition.status === condition.status &&
      before.condition.message === condition.message
    return isSame ? before : { name, jwks, condition, ...(discovered === undefined ? {} : { discovered }) }
  }

  #report(states: ReadonlyMap<string, KeySetState>): void {
    const counts: Record<KeySetStatus, number> = { ready: 0, waiting: 0, failing: 0 }
    for (const { condition } of states.values()) counts[condition.status] += 1
    const confirmed = [...states.keys()].flatMap(name => this.#places.get(name)?.known.confirmedAt ?? [])
    const oldestAt = confirmed.length === 0 ? undefined : confirmed.reduce((a, b) => Math.min(a, b))
    this.#options.observer?.onKeySets(counts, oldestAt)
  }
}

function wantedPlaces(sources: readonly KeySource[]): ReadonlyMap<string, Wanted> {
  const wanted = new Map<string, Wanted>()
  for (const source of sources) {
    const name = keySetName(source)
    const timeoutMs = Math.min(source.timeoutMs ?? TIMEOUT_MS, LONGEST_TIMEOUT_MS)
    const other = wanted.get(name)
    if (other === undefined) wanted.set(name, { place: keyPlace(source), timeoutMs })
    else other.timeoutMs = Math.max(other.timeoutMs, timeoutMs)
  }
  return wanted
}

function inlineState(name: string, text: string): KeySetState {
  try {
    const { jwks } = usableKeys(text, 'jwks')
    if (jwks !== undefined) return { name, jwks, condition: { status: 'ready', message: 'keys are in the policy' } }
    const message = "there are no keys and no token is valid: no key in jwks can verify a token's signature"
    return { name, jwks, condition: { status: 'failing', message } }
  } catch (thrown) {
    const message = `there are no keys and no token is valid: ${CountersignError.from(thrown).message}`
    return { name, jwks: undefined, condition: { status: 'failing', message } }
  }
}
