import { type Resource, resourceMap, type Snapshot, type SnapshotSource } from '../../shared/xds/index.ts'

/** A snapshot that changes when it is told to; a type is withheld until it is set. */
export class FakeSnapshotSource implements SnapshotSource {
  #snapshot: Snapshot = { types: new Map() }
  readonly #listeners = new Set<() => void>()

  current(): Snapshot {
    return this.#snapshot
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Replaces types as one change; undefined withholds a type again. */
  set(types: Readonly<Record<string, Iterable<Resource> | undefined>>): void {
    const next = new Map(this.#snapshot.types)
    for (const [typeUrl, resources] of Object.entries(types)) {
      if (resources === undefined) next.delete(typeUrl)
      else next.set(typeUrl, resourceMap(resources))
    }
    this.#snapshot = { types: next }
    for (const listener of [...this.#listeners]) listener()
  }

  get listeners(): number {
    return this.#listeners.size
  }
}
