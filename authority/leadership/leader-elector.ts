import { type Clock, type Random, sleep } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import {
  COLLECTIONS,
  collectionPath,
  type KubeClient,
  type KubeObject,
  objectPath,
  statusOf
} from '../../shared/kube/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { claimedLease, type LeaseRecord, leaseRecord, newLease, releasedLease } from './lease.ts'
import { type Moment, Stopwatch } from './stopwatch.ts'
import { type Task, TaskRunner } from './task-runner.ts'
import { Term } from './term.ts'

/** In milliseconds; each shorter than the one before. */
export interface ElectionTimes {
  /** Others take a Lease that did not change for so long. */
  readonly leaseMs: number
  /** A leader that could not renew for so long leads no more: before others can take over. */
  readonly renewMs: number
  /** How often it is tried. */
  readonly retryMs: number
}

export interface LeaderElectorOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>
  readonly namespace: string
  readonly leaseName: string
  /** Of this process, and never of another one: a program that is started again is another. */
  readonly identity: string
  readonly clock: Clock
  /** A clock that nobody sets, in milliseconds: `performance.now`. */
  readonly monotonic: () => number
  readonly random: Random
  readonly log: Logger
  /** Default: those of client-go: 15 s, 10 s and 2 s. All replicas must have the same. */
  readonly times?: ElectionTimes
}

const DEFAULT_TIMES: ElectionTimes = { leaseMs: 15_000, renewMs: 10_000, retryMs: 2_000 }
// As client-go has it: who waits does so for between one and 2.2 times the interval, so that not all try together.
const JITTER = 1.2
const FIELD_MANAGER = 'countersign-authority'
const NOT_FOUND = 404
const CONFLICT = 409

/**
 * One candidate for a Lease, from its construction to its end.
 *
 * A leader counts from the moment at which it sent what the API server then wrote, and by whichever of its clocks went
 * faster; others count from the moment at which they saw that, by a clock that never goes faster than time. So the
 * leader always stops first, by `leaseMs - renewMs` of each machine's own time. A Lease that is not there counts like
 * one with an unknown holder: it may have been deleted while somebody leads.
 */
export class LeaderElector {
  readonly #options: LeaderElectorOptions
  readonly #times: ElectionTimes
  readonly #log: Logger
  readonly #stopwatch: Stopwatch
  readonly #tasks: TaskRunner
  readonly #listeners = new Set<(leader: boolean) => void>()
  readonly #end = new AbortController()
  readonly #running: Promise<void>
  /** What the Lease said when it was last looked at, and since when it has been saying that. */
  #observed: { readonly record: LeaseRecord; readonly since: Moment } | undefined
  /** The Lease as it is if nobody else touched it; undefined: it must be read. */
  #lease: KubeObject | undefined
  #term: Term | undefined
  /** Something was sent that may have made this replica the holder. */
  #claimed = false
  #holderTold: string | undefined
  #trouble: string | undefined
  #closing: Promise<void> | undefined

  constructor(options: LeaderElectorOptions) {
    this.#options = options
    this.#times = options.times ?? DEFAULT_TIMES
    this.#log = options.log.child({ room: 'leadership', lease: `${options.namespace}/${options.leaseName}` })
    this.#stopwatch = new Stopwatch(options.clock, options.monotonic)
    this.#tasks = new TaskRunner(this.#log)
    this.#running = this.#run()
  }

  /** Looks at the clocks: also right in the first moment after the machine was suspended. */
  get isLeader(): boolean {
    this.#endTermInTime()
    return this.#term !== undefined
  }

  /** The listener is called with every change; it must not throw. */
  subscribe(listener: (leader: boolean) => void): () => void {
    const own = (leader: boolean): void => listener(leader)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  /**
   * Runs a task whenever this replica leads, also now if it does, and never twice at a time. Its signal is aborted when
   * leadership ends, or the returned function is called. After each wait and before each write a task looks at
   * `isLeader`: a signal can only be as early as the timers of a machine that was suspended.
   */
  whileLeader(task: Task): () => Promise<void> {
    return this.#tasks.add(task)
  }

  /** Stops leading, waits for the tasks, and then lets others in at once. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#end.abort()
    this.#endTerm('this replica shuts down')
    this.#listeners.clear()
    await this.#running
    await this.#tasks.ended()
    if (this.#claimed) await this.#release()
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#options
    const { signal } = this.#end
    while (!signal.aborted) {
      const begun = this.#stopwatch.now()
      await this.#limited(limit => this.#attempt(limit)).catch((thrown: unknown) => this.#afterFailure(thrown))
      const interval = this.#times.retryMs * (this.#term === undefined ? 1 + random() * JITTER : 1)
      // Time that an answer took is no time to wait again, of which a leader has little.
      const delayMs = Math.max(0, interval - this.#stopwatch.atMostSince(begun))
      await sleep(clock, delayMs, signal).catch(() => {})
    }
  }

  /** Looks at the Lease if need be, and claims it if that may be done. */
  async #attempt(signal: AbortSignal): Promise<void> {
    const lease = this.#lease ?? (await this.#read(signal))
    this.#observe(lease)
    if (!this.#mayClaim()) {
      // Read anew each time: waiting for it to change is all there is to do.
      this.#lease = undefined
      return this.#endTerm(lease === undefined ? 'the lease was deleted' : 'another replica holds the lease')
    }
    const { client, namespace, leaseName, identity, clock } = this.#options
    const claim = { identity, durationMs: this.#times.leaseMs, now: clock.now() }
    const sentAt = this.#stopwatch.now()
    this.#claimed = true
    const path = objectPath(COLLECTIONS.leases, leaseName, namespace)
    const written =
      lease === undefined
        ? await client.create(this.#collection, newLease(namespace, leaseName, claim), FIELD_MANAGER, signal)
        : await client.replace(path, claimedLease(lease, claim), FIELD_MANAGER, signal)
    this.#lease = written
    this.#observe(written)
    this.#lead(sentAt)
  }

  async #read(signal: AbortSignal): Promise<KubeObject | undefined> {
    const { client, namespace, leaseName } = this.#options
    try {
      return await client.get(objectPath(COLLECTIONS.leases, leaseName, namespace), signal)
    } catch (thrown) {
      if (statusOf(thrown) === NOT_FOUND) return undefined
      throw thrown
    }
  }

  #observe(lease: KubeObject | undefined): void {
    const record = leaseRecord(lease)
    if (record.text !== this.#observed?.record.text) this.#observed = { record, since: this.#stopwatch.now() }
    this.#mended()
    const { holder } = record
    if (holder === this.#options.identity || holder === this.#holderTold) return
    this.#claimed = false
    this.#holderTold = holder
    if (holder) this.#log.info({ holder }, 'another replica leads')
  }

  #mayClaim(): boolean {
    if (this.#observed === undefined) return false
    const { record, since } = this.#observed
    if (record.holder === '' || record.holder === this.#options.identity) return true
    return this.#stopwatch.atLeastSince(since) >= (record.durationMs ?? this.#times.leaseMs)
  }

  #lead(sentAt: Moment): void {
    this.#endTermInTime()
    if (this.#end.signal.aborted || this.#leftSince(sentAt) <= 0) return
    this.#holderTold = undefined
    const isNew = this.#term === undefined
    this.#term ??= new Term(this.#options.clock, () => this.#onTermDue())
    this.#term.renewed(sentAt, this.#leftSince(sentAt))
    if (!isNew) return
    this.#log.info({ identity: this.#options.identity }, 'this replica leads')
    this.#tell(true)
    this.#tasks.begin(this.#term.signal)
  }

  #leftSince(sentAt: Moment): number {
    return this.#times.renewMs - this.#stopwatch.atMostSince(sentAt)
  }

  #endTermInTime(): void {
    if (this.#term !== undefined && this.#leftSince(this.#term.sentAt) <= 0)
      this.#endTerm('the lease could not be renewed in time')
  }

  /** A timer that was early is followed by another. */
  #onTermDue(): void {
    this.#endTermInTime()
    if (this.#term !== undefined) this.#term.lookAgainAfter(this.#leftSince(this.#term.sentAt))
  }

  #endTerm(reason: string): void {
    if (this.#term === undefined) return
    const term = this.#term
    this.#term = undefined
    term.end()
    this.#log.info({ reason }, 'this replica leads no more')
    this.#tell(false)
  }

  async #release(): Promise<void> {
    const { client, namespace, leaseName, identity, clock } = this.#options
    const path = objectPath(COLLECTIONS.leases, leaseName, namespace)
    try {
      await this.#limited(async signal => {
        // Read anew: what was sent last may have been done without an answer.
        const lease = await client.get(path, signal)
        if (leaseRecord(lease).holder !== identity) return
        await client.replace(path, releasedLease(lease, clock.now()), FIELD_MANAGER, signal)
      })
    } catch (thrown) {
      const status = statusOf(thrown)
      if (status === NOT_FOUND || status === CONFLICT) return
      this.#log.warn({ err: CountersignError.from(thrown) }, 'the lease is not released, others must wait for its end')
    }
  }

  /** So that there is time for a second attempt. The end of this candidate ends everything but the release. */
  async #limited(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const late = new AbortController()
    const cancel = this.#options.clock.after(this.#times.renewMs / 2, () => late.abort(new Error('no answer in time')))
    const { signal: end } = this.#end
    try {
      await work(end.aborted ? late.signal : AbortSignal.any([late.signal, end]))
    } finally {
      cancel()
    }
  }

  #afterFailure(thrown: unknown): void {
    this.#lease = undefined
    // Another one was faster: what it wrote is seen next time.
    if (this.#end.signal.aborted || statusOf(thrown) === CONFLICT) return
    const err = CountersignError.from(thrown)
    if (err.message !== this.#trouble) this.#log.warn({ err }, 'the lease cannot be used, trying again')
    this.#trouble = err.message
  }

  #mended(): void {
    if (this.#trouble !== undefined) this.#log.info('the lease can be used again')
    this.#trouble = undefined
  }

  #tell(leader: boolean): void {
    for (const listener of [...this.#listeners]) listener(leader)
  }

  get #collection(): string {
    return collectionPath(COLLECTIONS.leases, this.#options.namespace)
  }
}
