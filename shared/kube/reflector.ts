import { type Clock, type Random, sleep } from '../clock/index.ts'
import { CountersignError } from '../errors/index.ts'
import type { Logger } from '../log/index.ts'
import { statusOf } from './api-error.ts'
import type { KubeClient, Selection } from './kube-client.ts'
import { type KubeObject, keyOf } from './object.ts'
import { retryDelayMs } from './retry.ts'
import type { WatchEvent } from './watch-stream.ts'

export interface ReflectorOptions<T> extends Selection {
  readonly client: Pick<KubeClient, 'pages' | 'watch'>
  /** Of a collection, see `collectionPath`. */
  readonly path: string
  /**
   * What is kept of an object, at most: the object itself is let go at once. `previous` is what was kept of the one
   * of that name before. Undefined keeps nothing.
   */
  readonly normalise: (object: KubeObject, previous: T | undefined) => T | undefined
  /** After so many objects of a list others may use the thread: for a `normalise` that takes its time. Default: a page. */
  readonly inARow?: number
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** The server ends a watch after so long, drawn anew each time, so that those of many clients do not end together. */
const WATCH_SECONDS = { least: 240, range: 120 }
/** Bookmarks come about once a minute: a connection on which nothing came for so long may be dead. */
const IDLE_MS = 90_000
/** How often to look whether a kind exists by now whose CustomResourceDefinition is not installed. */
const MISSING_POLL_MS = 30_000
const NOT_FOUND = 404
const GONE = 410
/** A watch that lasted so long was no failure, even if nothing happened meanwhile. */
const WORKED_MS = 5_000
/** Answers after which the version that was reached is still worth continuing from. */
const PASSING: ReadonlySet<number | undefined> = new Set([undefined, 401, 403, 429, 500, 503])

/**
 * A collection, followed: listed once in pages, watched from there on, and never given up. After a connection that
 * was closed, reset or silent the watch continues from the last version seen; where that is too old (410) or cannot
 * be continued from, the collection is listed again and replaced as a whole. What was known stays known meanwhile.
 *
 * A kind that does not exist is an empty collection, looked for twice a minute.
 */
export class Reflector<T> {
  readonly #options: ReflectorOptions<T>
  readonly #log: Logger
  readonly #listeners = new Set<() => void>()
  readonly #end = new AbortController()
  readonly #running: Promise<void>
  readonly #sync = Promise.withResolvers<void>()
  #objects = new Map<string, T>()
  /** Continue from here; undefined: list. */
  #version: string | undefined
  /** Something came since the last attempt began. */
  #advanced = false
  /** Attempts in a row that brought nothing. */
  #failures = 0
  #absences = 0
  #trouble: string | undefined

  constructor(options: ReflectorOptions<T>) {
    this.#options = options
    this.#log = options.log.child({ collection: options.path })
    this.#running = this.#run()
  }

  /** By `keyOf`; one object, which changes. */
  current(): ReadonlyMap<string, T> {
    return this.#objects
  }

  /** Resolves once the collection was listed, or is known not to exist. Never rejects. */
  get synced(): Promise<void> {
    return this.#sync.promise
  }

  /** The listener is called after every change, also when the collection was listed anew; it must not throw. */
  subscribe(listener: () => void): () => void {
    const own = (): void => listener()
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  /** Ends the following; what was known stays. */
  async close(): Promise<void> {
    this.#listeners.clear()
    this.#end.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#end.signal.aborted) {
      const delayMs = await this.#step()
      if (delayMs > 0) await sleep(this.#options.clock, delayMs, this.#end.signal).catch(() => {})
    }
  }

  /** One list if need be, and one watch. Returns how long to wait before the next. */
  async #step(): Promise<number> {
    const { clock, random } = this.#options
    const startedAt = clock.now()
    this.#advanced = false
    let failure: { readonly thrown: unknown } | undefined
    try {
      this.#version ??= await this.#list()
      await this.#follow(this.#version)
    } catch (thrown) {
      failure = { thrown }
    }
    if (this.#end.signal.aborted) return 0
    const worked = this.#advanced || clock.now() - startedAt >= WORKED_MS
    this.#failures = worked ? 0 : this.#failures + 1
    if (failure !== undefined) return this.#afterFailure(failure.thrown)
    return worked ? 0 : retryDelayMs(this.#failures - 1, random)
  }

  async #list(): Promise<string> {
    const { client, path, fieldSelector, inARow = Number.POSITIVE_INFINITY } = this.#options
    const selection = fieldSelector === undefined ? {} : { fieldSelector }
    const objects = new Map<string, T>()
    let version = ''
    for await (const { items, resourceVersion } of client.pages(path, selection, this.#end.signal)) {
      for (const [index, item] of items.entries()) {
        if (index > 0 && index % inARow === 0) await new Promise(resolve => setImmediate(resolve))
        this.#take(objects, item)
      }
      version = resourceVersion
    }
    this.#replace(objects)
    this.#mended()
    return version
  }

  async #follow(resourceVersion: string): Promise<void> {
    const { client, path, fieldSelector, random } = this.#options
    const timeoutSeconds = Math.round(WATCH_SECONDS.least + random() * WATCH_SECONDS.range)
    const options = { resourceVersion, timeoutSeconds, idleMs: IDLE_MS }
    const selected = fieldSelector === undefined ? options : { ...options, fieldSelector }
    for await (const event of client.watch(path, selected, this.#end.signal)) this.#apply(event)
  }

  #apply({ type, object }: WatchEvent): void {
    this.#version = object.metadata.resourceVersion ?? this.#version
    this.#advanced = true
    this.#mended()
    if (type === 'BOOKMARK') return
    if (type === 'DELETED') this.#objects.delete(keyOf(object))
    else this.#take(this.#objects, object)
    this.#tell()
  }

  #take(into: Map<string, T>, object: KubeObject): void {
    const key = keyOf(object)
    const value = this.#options.normalise(object, this.#objects.get(key))
    if (value === undefined) into.delete(key)
    else into.set(key, value)
  }

  #replace(objects: Map<string, T>): void {
    this.#absences = 0
    this.#objects = objects
    this.#sync.resolve()
    this.#tell()
  }

  #afterFailure(thrown: unknown): number {
    const status = statusOf(thrown)
    if (!PASSING.has(status)) this.#version = undefined
    if (status === NOT_FOUND) return this.#afterAbsence()
    const text = thrown instanceof Error ? thrown.message : String(thrown)
    // A connection that was lost is made anew at once, and too old a version is the way things go: neither is trouble.
    if (this.#failures > 0 && status !== GONE && text !== this.#trouble) {
      this.#log.warn({ err: CountersignError.from(thrown) }, 'a collection cannot be followed, trying again')
      this.#trouble = text
    }
    return retryDelayMs(Math.max(0, this.#failures - 1), this.#options.random, thrown)
  }

  /** Twice in a row before it is believed of what was there: policies must not vanish by one wrong answer. */
  #afterAbsence(): number {
    this.#absences++
    if (this.#objects.size === 0 || this.#absences > 1) {
      if (this.#absences <= 2) this.#log.info('a kind of object is not installed, looking again from time to time')
      const absences = this.#absences
      this.#replace(new Map())
      this.#absences = absences
    }
    return MISSING_POLL_MS
  }

  #mended(): void {
    if (this.#trouble !== undefined) this.#log.info('a collection is followed again')
    this.#trouble = undefined
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener()
  }
}
