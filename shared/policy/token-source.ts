/** One issuer of tokens, and how its tokens are found, verified and handed on. Checked and frozen. */
export interface TokenSource {
  /** The claim `iss`, exactly. */
  readonly issuer: string
  /** One of these is in the claim `aud`; empty: it is not looked at. */
  readonly audiences: readonly string[]
  /** Where the keys are. With neither this nor `jwks` they are discovered from the issuer, which is a URL then. */
  readonly jwksUri?: string
  /** The keys themselves: a JSON Web Key Set of public keys for signatures and nothing else. */
  readonly jwks?: string
  /** For fetching keys. */
  readonly timeoutMs?: number
  /**
   * Headers that may hold a token, names in lower case; `prefix` stands before it, its space included. Where neither
   * these nor parameters nor cookies are named, the kind of policy says where tokens are.
   */
  readonly fromHeaders: readonly { readonly name: string; readonly prefix: string }[]
  readonly fromParams: readonly string[]
  readonly fromCookies: readonly string[]
  /** The application gets the token as well. */
  readonly forwardOriginalToken: boolean
  /** Header that the verified payload is put into, in lower case. */
  readonly outputPayloadToHeader?: string
  /** Headers, in lower case, that claims are put into; no header twice. Nested claims have dots: `realm.roles`. */
  readonly outputClaimToHeaders: readonly { readonly header: string; readonly claim: string }[]
  /** Claims whose text is a list written with spaces, beside `scope` and `permission`. */
  readonly spaceDelimitedClaims: readonly string[]
}
