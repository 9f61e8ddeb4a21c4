import { createHash } from 'node:crypto'

/** Where the keys of an issuer of tokens are: `jwks`, else at `jwksUri`, else where the issuer's discovery says. */
export interface KeySource {
  /** The claim `iss` of its tokens. */
  readonly issuer: string
  readonly jwksUri?: string
  /** A JSON Web Key Set, as text. */
  readonly jwks?: string
  /** How long fetching may take, in milliseconds. Default 5 s; the longest one counts where several share a place. */
  readonly timeoutMs?: number
}

/** A place of keys. Sources whose places are equal share one key set, and are fetched once. */
export type KeyPlace =
  | { readonly kind: 'inline'; readonly text: string }
  | { readonly kind: 'uri'; readonly text: string }
  | { readonly kind: 'issuer'; readonly text: string }

export function keyPlace({ issuer, jwksUri, jwks }: KeySource): KeyPlace {
  if (jwks !== undefined) return { kind: 'inline', text: jwks }
  return jwksUri === undefined ? { kind: 'issuer', text: issuer } : { kind: 'uri', text: jwksUri }
}

// 128 bits: whoever may write a policy must not find one whose keys pass for somebody else's.
const HASH_DIGITS = 32

/** `issuer/<hash>`, `uri/<hash>` or `inline/<hash>`: equal for equal places, whatever else the sources say. */
export function keySetName(source: KeySource): string {
  const { kind, text } = keyPlace(source)
  return `${kind}/${createHash('sha256').update(text).digest('hex').slice(0, HASH_DIGITS)}`
}
