// How the API server of the tests changes an object by a patch.

type Json = Record<string, unknown>

/**
 * As an apply or a strategic merge changes an object: maps are merged, lists of named entries by name, conditions by
 * type, everything else is replaced.
 */
export function apply(target: unknown, patch: unknown): unknown {
  if (Array.isArray(target) && Array.isArray(patch))
    for (const key of ['name', 'type'])
      if (patch.every(entry => isMap(entry) && key in entry)) return mergeBy(key, target, patch)
  if (!isMap(target) || !isMap(patch)) return patch
  const merged = { ...target }
  for (const [key, value] of Object.entries(patch)) merged[key] = key in merged ? apply(merged[key], value) : value
  return merged
}

/** Kubernetes, "Strategic merge patch": an entry with `$patch: delete` goes. */
function mergeBy(key: string, target: readonly Json[], patch: readonly Json[]): unknown {
  const rest = patch.filter(entry => !target.some(other => other[key] === entry[key]))
  return [...target.map(entry => apply(entry, patch.find(other => other[key] === entry[key]) ?? {})), ...rest].filter(
    entry => (entry as Json)['$patch'] !== 'delete'
  )
}

/** As a merge patch does: RFC 7396, section 2. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isMap(patch)) return patch
  const merged: Json = isMap(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch))
    if (value === null) delete merged[key]
    else merged[key] = mergePatch(merged[key], value)
  return merged
}

const isMap = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
