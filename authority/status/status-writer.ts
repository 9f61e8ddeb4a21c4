import { type Clock, type Random, sleep } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { type KubeClient, retryDelayMs, statusOf, statusPath } from '../../shared/kube/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { mergedConditions } from './conditions.ts'
import { FollowedObjects, KINDS } from './followed-objects.ts'
import type { ObjectStatus } from './policy-status.ts'
import { type Due, WriteSchedule } from './write-schedule.ts'

export interface StatusWriterOptions {
  readonly client: Pick<KubeClient, 'pages' | 'watch' | 'mergePatch'>
  readonly leadership: {
    readonly isLeader: boolean
    whileLeader(task: (signal: AbortSignal) => Promise<void>): () => Promise<void>
  }
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

const FIELD_MANAGER = 'countersign-authority'
/** 20 writes a second at most: after an installation all policies are written to. */
const PACE_MS = 50
/** What is wanted is worked out this often at most: the mesh changes in showers. */
const COMPOSE_MS = 1_000
const LONGEST_REST_MS = 3_600_000
/** Somebody was faster, or it is gone: the watch tells. */
const PASSED_BY: ReadonlySet<number | undefined> = new Set([404, 409])

/** Keeps the statuses of policies and Services as they are wanted, while this replica leads. */
export class StatusWriter {
  readonly #options: StatusWriterOptions
  readonly #log: Logger
  readonly #stop: () => Promise<void>
  #compose: (() => readonly ObjectStatus[]) | undefined
  #isDirty = false
  #composedAt = Number.NEGATIVE_INFINITY
  /** Aborted to end a rest. */
  #bell = new AbortController()
  #troubles = new Set<string>()

  constructor(options: StatusWriterOptions) {
    this.#options = options
    this.#log = options.log.child({ room: 'status' })
    this.#stop = options.leadership.whileLeader(signal => this.#lead(signal))
  }

  /** To be called when something else may be wanted; `compose` is asked soon, and only while this replica leads. */
  want(compose: () => readonly ObjectStatus[]): void {
    this.#compose = compose
    this.#isDirty = true
    this.#bell.abort()
  }

  async close(): Promise<void> {
    await this.#stop()
  }

  async #lead(signal: AbortSignal): Promise<void> {
    const { clock, leadership } = this.#options
    // What is there is read before the first write: another replica wrote it, and it may be right.
    const policies = new FollowedObjects({ ...this.#options, log: this.#log }, () => this.#bell.abort())
    const schedule = new WriteSchedule()
    this.#isDirty = true
    this.#composedAt = Number.NEGATIVE_INFINITY
    try {
      while (!signal.aborted && leadership.isLeader) {
        this.#bell = new AbortController()
        this.#composeInTime(schedule)
        const { due, inMs } = schedule.next(policies.current(), clock.now())
        if (due === undefined) await this.#rest(Math.min(inMs, this.#untilComposed()), signal)
        else await this.#write(due, { policies, schedule, signal })
      }
    } finally {
      await policies.close()
    }
  }

  #composeInTime(schedule: WriteSchedule): void {
    if (this.#compose === undefined || this.#untilComposed() > 0) return
    this.#isDirty = false
    this.#composedAt = this.#options.clock.now()
    try {
      schedule.want(this.#compose())
    } catch (thrown) {
      this.#log.error({ err: CountersignError.from(thrown) }, 'what to say of policies cannot be worked out')
    }
  }

  #untilComposed(): number {
    if (this.#compose === undefined || !this.#isDirty) return Number.POSITIVE_INFINITY
    return this.#composedAt + COMPOSE_MS - this.#options.clock.now()
  }

  async #write(due: Due, term: Term): Promise<void> {
    const { client, clock, random } = this.#options
    const { subject, live, wanted } = due
    const { kind, namespace, name, resourceVersion } = live
    const { policies, schedule, signal } = term
    const conditions = mergedConditions(live.conditions, wanted, clock.now())
    const body = { metadata: { resourceVersion }, status: { conditions } }
    let pauseMs = PACE_MS
    try {
      const path = statusPath(KINDS[kind], name, namespace)
      policies.wrote(subject, live, await client.mergePatch(path, body, FIELD_MANAGER, signal))
      schedule.written(subject, clock.now())
      if (this.#troubles.delete(kind)) this.#log.info({ kind }, 'statuses can be written again')
    } catch (thrown) {
      if (signal.aborted) return
      const err = CountersignError.from(thrown)
      const failures = schedule.failed(subject, clock.now())
      // One object that is refused holds up no other; a server that does not answer would not answer for others either.
      if (err.code === 'ERR_KUBERNETES_UNAVAILABLE') pauseMs = retryDelayMs(failures, random, err)
      if (!PASSED_BY.has(statusOf(err)) && !this.#troubles.has(kind)) {
        this.#troubles.add(kind)
        this.#log.warn({ kind, err }, 'a status cannot be written, trying again')
      }
    }
    await sleep(clock, pauseMs, signal).catch(() => {})
  }

  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    const either = AbortSignal.any([signal, this.#bell.signal])
    await sleep(this.#options.clock, Math.min(ms, LONGEST_REST_MS), either).catch(() => {})
  }
}

interface Term {
  readonly policies: FollowedObjects
  readonly schedule: WriteSchedule
  readonly signal: AbortSignal
}
