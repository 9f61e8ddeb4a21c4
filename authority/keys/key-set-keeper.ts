import type { Clock, Random } from '../../shared/clock/index.ts'
import { Upkeep } from '../../shared/kube/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { writeKeySets } from './kept-key-sets.ts'
import type { KeySetState } from './key-set-state.ts'
import type { KeyStore } from './key-store.ts'

export interface KeySetKeeperOptions {
  readonly ring: {
    current(): ReadonlyMap<string, KeySetState>
    subscribe(listener: () => void): () => void
  }
  readonly store: KeyStore
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** Writes key sets to a store whenever they changed, once a second at most. Nobody waits for it. */
export class KeySetKeeper {
  readonly #options: KeySetKeeperOptions
  readonly #upkeep: Upkeep
  readonly #unsubscribe: () => void
  #written: string | undefined

  constructor(options: KeySetKeeperOptions) {
    const { ring, clock, random } = options
    this.#options = options
    const log = options.log.child({ room: 'keys' })
    this.#upkeep = new Upkeep({ what: 'keeping key sets', attempt: () => this.#write(), clock, random, log })
    this.#unsubscribe = ring.subscribe(() => this.#upkeep.trigger())
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await this.#upkeep.close()
  }

  async #write(): Promise<boolean> {
    const { ring, store } = this.#options
    const text = writeKeySets(ring.current().values())
    if (text === this.#written) return true
    await store.save(text)
    this.#written = text
    return true
  }
}
