import { type Clock, type Random, sleep } from '../../shared/clock/index.ts'
import {
  COLLECTIONS,
  type KubeClient,
  type KubeObject,
  objectPath,
  retryDelayMs,
  statusPath
} from '../../shared/kube/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { type AccountEvent, eventOf, ToldNotes } from './notes.ts'
import type { Pace } from './pace.ts'
import { conditionDueAt, conditionPatch, type ReadinessCondition } from './readiness-condition.ts'
import { type Refusal, refusalOf } from './refusal.ts'
import type { Account, Note } from './types.ts'

export interface TellerOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'patch'>
  /** Shared with all that is written. */
  readonly pace: Pace
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Whether this replica still leads. */
  readonly goesOn: () => boolean
}

interface Told {
  /** Undefined: nothing is to be said of it any more. */
  readonly compose: (() => ReadinessCondition) | undefined
  readonly settled: boolean
  /** Since when something else may have to be said; undefined: nothing. */
  readonly changedAt: number | undefined
  readonly writtenAt: number
  /** The Namespace as it was when it was last read or written. */
  readonly present: KubeObject | undefined
  readonly failures: number
}

const NEW: Told = {
  compose: undefined,
  settled: true,
  changedAt: undefined,
  writtenAt: Number.NEGATIVE_INFINITY,
  present: undefined,
  failures: 0
}

const FIELD_MANAGER = 'countersign-authority'
const LONGEST_REST_MS = 60_000
const BETWEEN_FAILURES_MS = 1_000

/** Tells where users look: events of service accounts, a condition of each namespace. One thing at a time. */
export class Teller {
  readonly #options: TellerOptions
  readonly #notes = new ToldNotes()
  #events: AccountEvent[] = []
  readonly #namespaces = new Map<string, Told>()
  /** Aborted to end a rest. */
  #bell = new AbortController()
  #failures = 0
  readonly #troubles = new Set<string>()

  constructor(options: TellerOptions) {
    this.#options = options
  }

  /** All that is to be said of an account now. */
  tell(account: Account, notes: readonly Note[]): void {
    for (const note of this.#notes.fresh(account, notes))
      this.#events.push(eventOf(account, note, this.#options.clock.now()))
    this.#bell.abort()
  }

  /**
   * To be called when something else may be said of a namespace.
   *
   * @param compose asked when it is time; undefined: a condition is not to be there
   * @param settled nothing is under way of which there will be word soon
   */
  changed(namespace: string, compose: Told['compose'], settled: boolean): void {
    const told = this.#namespaces.get(namespace) ?? NEW
    const changedAt = told.changedAt ?? this.#options.clock.now()
    this.#namespaces.set(namespace, { ...told, compose, settled, changedAt })
    this.#bell.abort()
  }

  /** It is gone. */
  drop(namespace: string): void {
    this.#namespaces.delete(namespace)
    this.#notes.drop(namespace)
    this.#events = this.#events.filter(event => event.namespace !== namespace)
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#options.goesOn()) {
      this.#bell = new AbortController()
      const { due, inMs } = this.#nextCondition()
      if (due !== undefined) await this.#write(due, signal)
      else if (this.#events.length > 0) await this.#sendEvent(signal)
      else await this.#rest(Math.min(inMs, LONGEST_REST_MS), AbortSignal.any([signal, this.#bell.signal]))
    }
  }

  #nextCondition(): { readonly due?: string; readonly inMs: number } {
    const now = this.#options.clock.now()
    let inMs = Number.POSITIVE_INFINITY
    for (const [namespace, { settled, changedAt, writtenAt, failures }] of this.#namespaces) {
      if (changedAt === undefined) continue
      const restMs = failures === 0 ? 0 : Math.min(LONGEST_REST_MS, BETWEEN_FAILURES_MS * 2 ** failures)
      const left = Math.max(conditionDueAt({ settled, changedAt, writtenAt }), writtenAt + restMs) - now
      // More than anything ever waits means that the clock was set back.
      if (left <= 0 || left > LONGEST_REST_MS) return { due: namespace, inMs: 0 }
      inMs = Math.min(inMs, left)
    }
    return { inMs }
  }

  async #write(namespace: string, signal: AbortSignal): Promise<void> {
    const { client, clock, pace, goesOn } = this.#options
    const told = this.#namespaces.get(namespace) ?? NEW
    // What changes from here on is told the next time.
    this.#put(namespace, { changedAt: undefined })
    const outcome = await this.#attempt('a condition', namespace, signal, async () => {
      const present = told.present ?? (await client.get(objectPath(COLLECTIONS.namespaces, namespace), signal))
      this.#put(namespace, { present })
      const patch = conditionPatch(present, told.compose?.(), clock.now())
      if (patch === undefined) return
      await pace.turn()
      if (!goesOn()) return
      const path = statusPath(COLLECTIONS.namespaces, namespace)
      this.#put(namespace, { writtenAt: clock.now() })
      this.#put(namespace, { present: await client.patch(path, patch, FIELD_MANAGER, signal) })
    })
    const isOver = outcome === undefined || !isTrouble(outcome)
    if (isOver && told.compose === undefined && this.#namespaces.get(namespace)?.changedAt === undefined)
      this.#namespaces.delete(namespace)
    else if (isOver) this.#put(namespace, { failures: 0 })
    else this.#put(namespace, { failures: told.failures + 1, writtenAt: clock.now(), changedAt: told.changedAt })
  }

  async #sendEvent(signal: AbortSignal): Promise<void> {
    const { client, pace, goesOn } = this.#options
    const [event] = this.#events
    if (event === undefined) return
    const outcome = await this.#attempt('an event', event.namespace, signal, async () => {
      await pace.turn()
      if (goesOn()) await client.create(event.path, event.body, FIELD_MANAGER, signal)
    })
    // It is there already, or its namespace goes, or nobody may make events: nothing of that changes by trying again.
    if (outcome?.kind !== 'unavailable' && this.#events[0] === event) this.#events.shift()
  }

  /** Undefined when it was done, or is not to be done any more. */
  async #attempt(
    what: string,
    namespace: string,
    signal: AbortSignal,
    work: () => Promise<void>
  ): Promise<Refusal | undefined> {
    const { random, log } = this.#options
    const trouble = `${what} ${namespace}`
    try {
      await work()
      this.#failures = 0
      if (this.#troubles.delete(trouble)) log.info({ what, namespace }, 'what users are told can be written again')
      return undefined
    } catch (thrown) {
      if (signal.aborted) return undefined
      const refusal = refusalOf(thrown, 'create')
      if (!isTrouble(refusal)) return refusal
      if (!this.#troubles.has(trouble)) log.warn({ what, namespace, err: refusal.err }, 'users cannot be told')
      this.#troubles.add(trouble)
      if (refusal.kind === 'unavailable') await this.#rest(retryDelayMs(this.#failures++, random, thrown), signal)
      return refusal
    }
  }

  #put(namespace: string, change: Partial<Told>): void {
    const told = this.#namespaces.get(namespace)
    if (told !== undefined) this.#namespaces.set(namespace, { ...told, ...change })
  }

  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    await sleep(this.#options.clock, ms, signal).catch(() => {})
  }
}

function isTrouble(refusal: Refusal): refusal is Extract<Refusal, { readonly err: unknown }> {
  return 'err' in refusal
}
