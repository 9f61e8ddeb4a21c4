import type { Sensitive } from '../../shared/log/index.ts'

/** What was learned of what policies name, beside what they say themselves. */
export interface Known {
  readonly keys: KnownKeys
  readonly loginSecrets: KnownLoginSecrets
}

/** Of issuers of tokens, by the name of their key set. */
export type KnownKeys = ReadonlyMap<
  string,
  {
    /** Undefined: there are no keys yet. */
    readonly jwks: string | undefined
    /** What the issuer says of signing in, or why it does not; the same object while it says the same. */
    readonly discovered?: { readonly endpoints: LoginEndpoints } | { readonly problem: string }
  }
>

/** URLs of an issuer. */
export interface LoginEndpoints {
  readonly authorization: string
  readonly token: string
  readonly endSession?: string
}

/** Of logins, by `<namespace>/<name>` of their policy. */
export type KnownLoginSecrets = ReadonlyMap<
  string,
  {
    /** Undefined: there is none. */
    readonly secret: Sensitive<{ readonly clientSecret: Uint8Array; readonly hmacKey: Uint8Array }> | undefined
    readonly condition: { readonly status: 'ready' | 'missing' | 'waiting'; readonly message: string }
  }
>

export const NOTHING_KNOWN: Known = { keys: new Map(), loginSecrets: new Map() }
