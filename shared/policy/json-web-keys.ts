import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { isRecord } from './schema.ts'

/** Either the keys that signatures can be verified with, as JSON, or what is wrong; the keys are never quoted. */
export type KeySetReading =
  | { readonly ok: true; readonly jwks: string }
  | { readonly ok: false; readonly message: string }

/** Characters: a set of a hundred RSA keys with their certificates. */
const LARGEST_KEY_SET = 262_144
const MOST_KEYS = 100
/** RFC 7518, section 3.3. */
const SHORTEST_RSA_BITS = 2_048

/** Members that only a private or symmetric key has (RFC 7518, sections 6.2.2, 6.3.2 and 6.4; RFC 8037, section 2). */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

interface Family {
  readonly algorithms: readonly string[]
  /** The members that are the key. */
  readonly members: readonly string[]
}

const EC = ['crv', 'x', 'y']
/** What Envoy verifies signatures with, by type and curve. */
const FAMILIES: Readonly<Record<string, Family>> = {
  RSA: { algorithms: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'], members: ['n', 'e'] },
  'EC P-256': { algorithms: ['ES256'], members: EC },
  'EC P-384': { algorithms: ['ES384'], members: EC },
  'EC P-521': { algorithms: ['ES512'], members: EC },
  'OKP Ed25519': { algorithms: ['EdDSA'], members: ['crv', 'x'] }
}

/**
 * Reads a JSON Web Key Set as somebody wrote it into a policy: refuses private and symmetric keys and broken ones,
 * leaves out what is not for signatures or not understood, and needs at least one that is.
 *
 * Source: RFC 7517, sections 4 and 5.
 */
export function readKeySet(text: string): KeySetReading {
  if (text.length > LARGEST_KEY_SET)
    return refusal(`expected at most ${LARGEST_KEY_SET} characters, got ${text.length}`)
  let set: unknown
  try {
    set = JSON.parse(text)
  } catch {
    return refusal('expected a JSON Web Key Set (RFC 7517, section 5), got text that is no JSON')
  }
  const keys = isRecord(set) ? set['keys'] : undefined
  if (!Array.isArray(keys)) return refusal('expected a JSON Web Key Set: an object with the list "keys"')
  if (keys.length > MOST_KEYS) return refusal(`expected at most ${MOST_KEYS} keys, got ${keys.length}`)
  const usable: object[] = []
  for (const [index, key] of keys.entries()) {
    const reading = readKey(key)
    if (typeof reading === 'string') return refusal(`keys[${index}]: ${reading}`)
    if (reading !== undefined) usable.push(reading)
  }
  if (usable.length === 0)
    return refusal(
      'expected at least one public key for signatures: RSA, EC with P-256, P-384 or P-521, OKP with Ed25519'
    )
  return { ok: true, jwks: JSON.stringify({ keys: usable }) }
}

const refusal = (message: string): KeySetReading => ({ ok: false, message })

/** The key reduced to what verifies; undefined: of no use here; text: what is wrong with it. */
function readKey(key: unknown): object | string | undefined {
  if (!isRecord(key)) return 'expected a JSON Web Key: an object'
  const { kty, kid, use, alg, key_ops: operations } = key
  if (typeof kty !== 'string') return 'expected the type of the key as text in "kty"'
  if (kty === 'oct') return 'is a symmetric key: whoever verifies with it can also sign; expected public keys'
  const secret = PRIVATE_MEMBERS.find(member => Object.hasOwn(key, member))
  if (secret !== undefined)
    return `is a private key (member "${secret}"): expected public keys; replace it, others may have read it by now`
  if (kid !== undefined && typeof kid !== 'string') return 'expected text in "kid"'
  const family = FAMILIES[kty === 'RSA' ? kty : `${kty} ${String(key['crv'])}`]
  if (family === undefined || (use !== undefined && use !== 'sig')) return undefined
  if (alg !== undefined && !(typeof alg === 'string' && family.algorithms.includes(alg))) return undefined
  if (Array.isArray(operations) && !operations.includes('verify')) return undefined
  const named = { kty, ...(kid === undefined ? {} : { kid }), ...(alg === undefined ? {} : { alg }) }
  const material = Object.fromEntries(family.members.map(member => [member, key[member]]))
  return publicKeyProblem({ kty, ...material }) ?? { ...named, ...material }
}

function publicKeyProblem(jwk: JsonWebKey): string | undefined {
  try {
    const { asymmetricKeyDetails } = createPublicKey({ key: jwk, format: 'jwk' })
    const bits = asymmetricKeyDetails?.modulusLength
    if (bits !== undefined && bits < SHORTEST_RSA_BITS)
      return `expected at least ${SHORTEST_RSA_BITS} bits of an RSA key, got ${bits}`
    return undefined
  } catch {
    return `is no public key of the type ${jwk.kty}`
  }
}
