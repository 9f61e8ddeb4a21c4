import type { Resource, ResourceMap } from './resource.ts'

/** What leads from one map to another. */
export interface ResourceDiff {
  /** New, or with another version. */
  readonly changed: readonly Resource[]
  readonly gone: readonly string[]
}

const known = new WeakMap<ResourceMap, WeakMap<ResourceMap, ResourceDiff>>()

/**
 * Compared once for each pair of maps: hundreds of streams that were sent the same map, and are now to be sent the
 * next, share the answer.
 */
export function diffOf(before: ResourceMap, after: ResourceMap): ResourceDiff {
  const toAfter = known.get(after) ?? new WeakMap<ResourceMap, ResourceDiff>()
  known.set(after, toAfter)
  const diff = toAfter.get(before) ?? compare(before, after)
  toAfter.set(before, diff)
  return diff
}

function compare(before: ResourceMap, after: ResourceMap): ResourceDiff {
  const changed: Resource[] = []
  const gone: string[] = []
  for (const resource of after.values())
    if (before.get(resource.name)?.version !== resource.version) changed.push(resource)
  for (const name of before.keys()) if (!after.has(name)) gone.push(name)
  return { changed, gone }
}
