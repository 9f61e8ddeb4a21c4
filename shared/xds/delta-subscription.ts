import type { DeltaDiscoveryRequest } from '../proto/gen/envoy/service/discovery/v3/discovery_pb.js'
import type { Remembered } from './limits.ts'
import type { Resource, ResourceMap } from './resource.ts'
import { diffOf } from './resource-diff.ts'
import { WILDCARD } from './type-url.ts'

/** What one response says about one type. */
export interface Changes {
  readonly resources: readonly Resource[]
  readonly removed: readonly string[]
}

/**
 * What one client of a delta stream wants of one type, and what it is known to have.
 *
 * Source: "xDS REST and gRPC protocol", sections "Incremental xDS", "How the client specifies what resources to
 * return", "Unsubscribing From Resources"; comments of DeltaDiscoveryRequest in discovery.proto.
 */
export class DeltaSubscription {
  #wildcard = false
  readonly #names = new Set<string>()
  #nameBytes = 0
  // Name to version; undefined when the client was told that there is no such resource.
  readonly #sent = new Map<string, string | undefined>()
  // Names to be answered whether or not anything changed.
  readonly #due = new Set<string>()
  #wildcardDue = false
  // The map that the client was brought up to; undefined when its wishes changed since, and all must be compared.
  #comparedWith: ResourceMap | undefined
  // Names that may be gone and whose removal was not sent yet; or all that were sent.
  #maybeGone: Set<string> | 'all' = new Set<string>()

  /** Takes in the first request of a stream for this type. Only here does an empty list mean everything. */
  start(request: DeltaDiscoveryRequest): void {
    this.change(request)
    if (request.resourceNamesSubscribe.length === 0) this.#subscribe(WILDCARD)
    // What the client kept from an earlier stream is not sent again: that is the purpose of these versions.
    for (const [name, version] of Object.entries(request.initialResourceVersions)) {
      if (!this.#wildcard && !this.#names.has(name)) continue
      this.#sent.set(name, version)
      this.#due.delete(name)
    }
  }

  /** Takes in a later request. */
  change(request: DeltaDiscoveryRequest): void {
    for (const name of request.resourceNamesUnsubscribe) this.#unsubscribe(name)
    for (const name of request.resourceNamesSubscribe) this.#subscribe(name)
    this.#comparedWith = undefined
  }

  /** What is new, changed or asked for; the answer that a subscribed name does not exist is here too. */
  updates(map: ResourceMap): Changes | undefined {
    if (map === this.#comparedWith) return undefined
    const { resources, removed } = this.#compare(map)
    this.#comparedWith = map
    if (resources.length === 0 && removed.length === 0 && !this.#wildcardDue) return undefined
    for (const { name, version } of resources) this.#sent.set(name, version)
    this.#markRemoved(removed)
    this.#due.clear()
    this.#wildcardDue = false
    return { resources, removed }
  }

  /** What the client has and is no longer there. Only after `updates` has nothing more to say of the same map. */
  removals(map: ResourceMap): Changes | undefined {
    const candidates = this.#maybeGone === 'all' ? this.#sent.keys() : this.#maybeGone
    const removed: string[] = []
    for (const name of candidates) if (this.#sent.get(name) !== undefined && !map.has(name)) removed.push(name)
    this.#maybeGone = new Set()
    if (removed.length === 0) return undefined
    this.#markRemoved(removed)
    return { resources: [], removed }
  }

  get remembered(): Remembered {
    return { names: this.#names.size, bytes: this.#nameBytes }
  }

  #subscribe(name: string): void {
    if (name === WILDCARD) {
      this.#wildcard = true
      this.#wildcardDue = true
      return
    }
    if (!this.#names.has(name)) this.#nameBytes += Buffer.byteLength(name)
    this.#names.add(name)
    // Answered even if the client had it before: it may have dropped it and regained interest meanwhile.
    this.#due.add(name)
  }

  #unsubscribe(name: string): void {
    if (name === WILDCARD) {
      this.#wildcard = false
      this.#wildcardDue = false
      for (const sent of this.#sent.keys()) if (!this.#names.has(sent)) this.#sent.delete(sent)
      for (const due of this.#due) if (!this.#names.has(due)) this.#due.delete(due)
      return
    }
    if (!this.#names.delete(name)) return
    this.#nameBytes -= Buffer.byteLength(name)
    this.#due.delete(name)
    // Under a wildcard the client cannot know whether the name is still covered: it is told, either way.
    if (this.#wildcard) this.#due.add(name)
    else this.#sent.delete(name)
  }

  #compare(map: ResourceMap): Changes {
    if (this.#comparedWith === undefined) {
      this.#maybeGone = 'all'
      return {
        resources: this.#outdated(this.#wildcard ? map.values() : this.#subscribed(map)),
        removed: this.#absent(map)
      }
    }
    // The client has what it wants of the map before, so nothing but the difference can concern it.
    const { changed, gone } = diffOf(this.#comparedWith, map)
    if (this.#maybeGone !== 'all') for (const name of gone) this.#maybeGone.add(name)
    return { resources: this.#outdated(changed), removed: [] }
  }

  #outdated(candidates: Iterable<Resource>): Resource[] {
    const outdated: Resource[] = []
    for (const resource of candidates) {
      const { name, version } = resource
      if (!this.#wildcard && !this.#names.has(name)) continue
      if (this.#sent.get(name) !== version || this.#due.has(name)) outdated.push(resource)
    }
    return outdated
  }

  *#subscribed(map: ResourceMap): Iterable<Resource> {
    for (const name of this.#names) {
      const resource = map.get(name)
      if (resource !== undefined) yield resource
    }
  }

  // Names that are owed an answer, and the answer is no.
  #absent(map: ResourceMap): string[] {
    const absent = new Set<string>()
    for (const name of this.#due) if (!map.has(name)) absent.add(name)
    for (const name of this.#names) if (!map.has(name) && !this.#sent.has(name)) absent.add(name)
    return [...absent]
  }

  #markRemoved(names: readonly string[]): void {
    for (const name of names) {
      if (this.#names.has(name)) this.#sent.set(name, undefined)
      else this.#sent.delete(name)
    }
  }
}
