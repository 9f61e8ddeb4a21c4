import type { Remembered } from './limits.ts'
import { type ResourceMap, resourceMap } from './resource.ts'
import { WILDCARD } from './type-url.ts'
import { versionOf } from './version.ts'

/** One response: everything of one type that was asked for and exists. */
export interface World {
  readonly version: string
  readonly resources: ResourceMap
}

/**
 * What one client of a state-of-the-world stream wants of one type, and what it was sent last.
 *
 * Source: "xDS REST and gRPC protocol", sections "How the client specifies what resources to return" and
 * "Unsubscribing From Resources".
 */
export class StateOfTheWorldSubscription {
  // Names were asked for before: from then on an empty list means nothing, where at first it means everything.
  #named = false
  #wanted: ReadonlySet<string> | typeof WILDCARD = new Set<string>()
  #bytes = 0
  // An answer is owed whether or not anything changed.
  #due = true
  #last: World | undefined
  // What of it the client still wants.
  #held: ResourceMap | undefined
  // The map that was last looked at: while neither it nor the wishes change, there is nothing to compare.
  #lookedAt: ResourceMap | undefined

  /** Replaces what is wanted. Asking for more is answered; asking for less is not: there would be nothing to say. */
  ask(names: readonly string[]): void {
    const before = this.#wanted
    const everything = names.includes(WILDCARD) || (names.length === 0 && !this.#named)
    this.#named ||= names.length > 0
    this.#wanted = everything ? WILDCARD : new Set(names)
    this.#bytes = names.reduce((sum, name) => sum + Buffer.byteLength(name), 0)
    const more = before !== WILDCARD && (everything || names.some(name => !before.has(name)))
    this.#due ||= more
    if (this.#held !== undefined && this.#wanted !== WILDCARD) this.#held = chosen(this.#held, this.#wanted)
  }

  /** What is to be sent now, which counts as sent; undefined when the client has it. */
  answer(map: ResourceMap): World | undefined {
    if (!this.#due && this.#lookedAt === map) return undefined
    this.#lookedAt = map
    const resources = this.#wanted === WILDCARD ? map : chosen(map, this.#wanted)
    const version = versionOf(resources)
    if (!this.#due && this.#held !== undefined && versionOf(this.#held) === version) return undefined
    this.#due = false
    this.#held = resources
    this.#last = { version, resources }
    return this.#last
  }

  /** What was sent last. */
  get last(): World | undefined {
    return this.#last
  }

  get remembered(): Remembered {
    return { names: this.#wanted === WILDCARD ? 0 : this.#wanted.size, bytes: this.#bytes }
  }
}

function chosen(map: ResourceMap, names: ReadonlySet<string>): ResourceMap {
  return resourceMap([...names].map(name => map.get(name)).filter(resource => resource !== undefined))
}
