import type { PolicyIssue } from './issue.ts'

/** Far more levels than a policy has, and far fewer than a program can call itself. */
const DEEPEST = 32
/** Of one object; what is unknown costs more to judge than what is known. */
const MOST_FIELDS = 256
const LONGEST_KEY = 512
/** Keys of these are chosen by the author. Their number is limited by the schema. */
const MAPS: ReadonlySet<unknown> = new Set(['matchLabels', 'portLevelMtls'])
/** Not judged: the API server writes the first, controllers write the second. */
const NOT_READ: ReadonlySet<string> = new Set(['metadata', 'status'])

/**
 * What no schema can judge: a key `__proto__`, which schemas pass over, and objects so deep or wide that judging them
 * would stop the program. Undefined where the schema can judge.
 */
export function structureIssue(object: unknown): PolicyIssue | undefined {
  const pending: { readonly path: PolicyIssue['path']; readonly value: unknown }[] = [{ path: [], value: object }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path, value } = next
    if (typeof value !== 'object' || value === null) continue
    const at = path.slice(0, 3)
    if (path.length > DEEPEST) return { path: at, message: `expected at most ${DEEPEST} levels, got more` }
    const entries = Object.entries(value)
    const isMap = Array.isArray(value) || MAPS.has(path.at(-1))
    if (!isMap && entries.length > MOST_FIELDS)
      return { path: at, message: `expected at most ${MOST_FIELDS} fields, got ${entries.length}` }
    for (const [key, inner] of entries) {
      if (path.length === 0 && NOT_READ.has(key)) continue
      if (key === '__proto__') return { path: [...at, key], message: 'not allowed as a key' }
      if (key.length > LONGEST_KEY)
        return { path: at, message: `expected keys of at most ${LONGEST_KEY} characters, got one of ${key.length}` }
      pending.push({ path: [...path, Array.isArray(value) ? Number(key) : key], value: inner })
    }
  }
  return undefined
}
