import { type Clock, type Random, sleep } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { COLLECTIONS, type KubeClient, objectPath, statusOf } from '../../shared/kube/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import type { DefinedKind } from './definition-problems.ts'
import { prunedLevels } from './pruned-levels.ts'

export interface DefinitionCheckOptions {
  readonly client: Pick<KubeClient, 'get'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly observer: {
    /** For each kind whose definition was read, whether it drops unknown fields. */
    onDefinition(kind: DefinedKind, prunes: boolean): void
  }
}

const DEFINITIONS: Readonly<Record<DefinedKind, string>> = {
  PeerAuthentication: 'peerauthentications.security.istio.io',
  RequestAuthentication: 'requestauthentications.security.istio.io',
  EndUserAuthentication: 'enduserauthentications.countersign.dev'
}

/** Between two looks, in milliseconds: plus up to a tenth, so that replicas do not look at once. */
const INTERVAL_MS = 300_000
/** More of them make a log line no clearer. */
const MOST_LEVELS = 5
const NOT_FOUND = 404
const FORBIDDEN = 403

/** Looks at the definitions of policies, at once and every five minutes. */
export class DefinitionCheck {
  readonly #options: DefinitionCheckOptions
  readonly #log: Logger
  readonly #end = new AbortController()
  readonly #running: Promise<void>
  readonly #listeners = new Set<() => void>()
  /** What was said of each, so that it is said once. */
  readonly #told = new Map<DefinedKind, string>()
  #pruning: ReadonlySet<DefinedKind> = new Set()

  constructor(options: DefinitionCheckOptions) {
    this.#options = options
    this.#log = options.log.child({ room: 'definitions' })
    this.#running = this.#run()
  }

  /** The kinds whose definitions drop unknown fields. The same object until that changes. */
  current(): ReadonlySet<DefinedKind> {
    return this.#pruning
  }

  /** The returned function ends the subscription. */
  subscribe(listener: () => void): () => void {
    const own = (): void => listener()
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  async close(): Promise<void> {
    this.#listeners.clear()
    this.#end.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, random } = this.#options
    while (!this.#end.signal.aborted) {
      await this.#look()
      const delayMs = INTERVAL_MS * (1 + random() / 10)
      await sleep(clock, delayMs, this.#end.signal).catch(() => {})
    }
  }

  async #look(): Promise<void> {
    const pruning = new Set(this.#pruning)
    for (const kind of Object.keys(DEFINITIONS) as DefinedKind[]) {
      const prunes = await this.#prunes(kind)
      if (this.#end.signal.aborted) return
      if (prunes === undefined) continue
      this.#options.observer.onDefinition(kind, prunes)
      if (prunes) pruning.add(kind)
      else pruning.delete(kind)
    }
    if (pruning.size === this.#pruning.size && [...pruning].every(kind => this.#pruning.has(kind))) return
    this.#pruning = pruning
    for (const listener of [...this.#listeners]) listener()
  }

  /** Undefined where it cannot be read: what was known of it stays. */
  async #prunes(kind: DefinedKind): Promise<boolean | undefined> {
    const definition = DEFINITIONS[kind]
    try {
      const path = objectPath(COLLECTIONS.definitions, definition)
      const levels = prunedLevels(await this.#options.client.get(path, this.#end.signal))
      this.#tell(kind, levels.join(), () => {
        if (levels.length > 0)
          this.#log.warn(
            { definition, levels: levels.slice(0, MOST_LEVELS), count: levels.length },
            'a CustomResourceDefinition drops fields that it does not know before they can be refused; install that of the Countersign chart'
          )
        else this.#log.debug({ definition }, 'a CustomResourceDefinition keeps unknown fields')
      })
      return levels.length > 0
    } catch (thrown) {
      if (this.#end.signal.aborted) return undefined
      const status = statusOf(thrown)
      // Not installed: there are no policies of this kind.
      if (status === NOT_FOUND) return false
      this.#tell(kind, `error ${status}`, () =>
        this.#log.warn(
          { definition, err: CountersignError.from(thrown), forbidden: status === FORBIDDEN },
          'a CustomResourceDefinition cannot be read: it is not known whether it drops unknown fields'
        )
      )
      return undefined
    }
  }

  #tell(kind: DefinedKind, what: string, say: () => void): void {
    if (this.#told.get(kind) === what) return
    this.#told.set(kind, what)
    say()
  }
}
