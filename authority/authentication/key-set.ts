import type { JSONWebKeySet, JWK } from 'jose'
import { z } from 'zod'
import { CountersignError } from '../../shared/errors/index.ts'

// Tokens with made-up key IDs must not make the authority read files, or ask the API server, all day.
export const REFRESH_BURST = 5
export const REFRESH_INTERVAL_MS = 10_000

// Only what chooses a key is looked at; jose reads the rest, and one key that it cannot read spoils no other.
const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string(), kid: z.string().optional() })).min(1) })

/**
 * Reads a JWKS (RFC 7517, section 5).
 *
 * @param source what it is, for the error: `token keys /etc/keys.json`
 * @throws CountersignError ERR_FILE_INVALID
 */
export function parseKeySet(text: string, source: string): JSONWebKeySet {
  try {
    return { keys: keySet.parse(JSON.parse(text)).keys as JWK[] }
  } catch (error) {
    throw new CountersignError('ERR_FILE_INVALID', `${source} are not a JWKS of at least one key`, { cause: error })
  }
}
