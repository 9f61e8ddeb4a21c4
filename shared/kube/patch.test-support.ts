// How the API server of the tests changes an object by a patch.

type Json = Record<string, unknown>

/** As an apply changes an object: maps are merged, lists of named entries by name, everything else is replaced. */
export function apply(target: unknown, patch: unknown): unknown {
  if (Array.isArray(target) && Array.isArray(patch) && patch.every(entry => isMap(entry) && 'name' in entry)) {
    const rest = patch.filter(({ name }: Json) => !target.some(entry => entry.name === name))
    return [...target.map(entry => apply(entry, patch.find(({ name }: Json) => name === entry.name) ?? {})), ...rest]
  }
  if (!isMap(target) || !isMap(patch)) return patch
  const merged = { ...target }
  for (const [key, value] of Object.entries(patch)) merged[key] = key in merged ? apply(merged[key], value) : value
  return merged
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
