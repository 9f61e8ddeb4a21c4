import type { Logger } from '../log/index.ts'

/** Something that must have happened once before a program is ready. Paying twice is harmless. */
export interface Debt {
  pay(): void
}

/**
 * Readiness as a set of named debts: a program is ready when none is left, and what is left can be read.
 * Debts are taken on while a program starts; a condition that may come back is a `Debt` taken on again.
 */
export class Readiness {
  readonly #open = new Set<string>()
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
  }

  /** @throws TypeError when a debt of that name is open: names are what an operator sees */
  owe(name: string): Debt {
    if (this.#open.has(name)) throw new TypeError(`debt ${name} is already open`)
    this.#open.add(name)
    return { pay: () => this.#pay(name) }
  }

  /** Names of what is still owed, in the order in which it was taken on. */
  get open(): readonly string[] {
    return [...this.#open]
  }

  get ready(): boolean {
    return this.#open.size === 0
  }

  #pay(name: string): void {
    if (!this.#open.delete(name)) return
    if (this.ready) this.#log.info({ paid: name }, 'ready')
    else this.#log.info({ paid: name, open: this.open }, 'one thing less to wait for')
  }
}
