import { CountersignError } from '../../shared/errors/index.ts'
import { judgeKey, type KeyRefusal } from './public-key.ts'

/** What of a published key set can be used. */
export interface UsableKeys {
  /** Canonical JSON of a JWKS; undefined when no key is left. */
  readonly jwks: string | undefined
  readonly count: number
  /** How many keys were left out, by reason. */
  readonly refused: Readonly<Partial<Record<KeyRefusal | 'too many', number>>>
}

// Every key is tried for a token without a key ID, by every proxy.
const MOST_KEYS = 100

/**
 * Reads a JWKS (RFC 7517, section 5) and keeps the public keys that proxies can verify signatures with; one that
 * cannot be used spoils no other. Equal sets give equal strings, in whatever order and spelling they are published.
 *
 * @param source what it is, for the error: a URL
 * @throws CountersignError ERR_KEYS_INVALID when it is no key set
 */
export function usableKeys(text: string, source: string): UsableKeys {
  const { keys } = parseObject(text, source)
  if (!Array.isArray(keys))
    throw new CountersignError('ERR_KEYS_INVALID', `${source}: expected a JWKS with a list "keys"`)
  const refused: Partial<Record<KeyRefusal | 'too many', number>> = {}
  const kept = new Set<string>()
  for (const key of keys) {
    const judged = kept.size === MOST_KEYS ? ({ refusal: 'too many' } as const) : judgeKey(key)
    if ('json' in judged) kept.add(judged.json)
    else refused[judged.refusal] = (refused[judged.refusal] ?? 0) + 1
  }
  const jwks = kept.size === 0 ? undefined : `{"keys":[${[...kept].sort().join(',')}]}`
  return { jwks, count: kept.size, refused }
}

/**
 * A JSON object. What stands in its place is never quoted: it may be the answer of something that is nobody's business.
 *
 * @throws CountersignError ERR_KEYS_INVALID
 */
export function parseObject(text: string, source: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Its message would quote the text.
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new CountersignError('ERR_KEYS_INVALID', `${source}: expected a JSON object`)
}
