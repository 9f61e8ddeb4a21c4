/** How browsers without a token are sent to the issuer for one: the authorization code flow of OpenID Connect. */
export interface Login {
  readonly clientId: string
  /** Where the secret of that client is: an entry of a Secret, in the namespace of the policy. */
  readonly clientSecret: { readonly name: string; readonly key: string }
  /** Each once, `openid` always among them. */
  readonly scopes: readonly string[]
  /** Where the issuer sends browsers back to, and where they sign out; never the same. */
  readonly redirectPath: string
  readonly signOutPath: string
  /** Either both or none; without them they are discovered from the issuer. */
  readonly authorizationEndpoint?: string
  readonly tokenEndpoint?: string
  readonly endSessionEndpoint?: string
  /** The application gets the tokens of the login as well. */
  readonly forwardTokens: boolean
}
