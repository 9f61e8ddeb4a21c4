import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import Provider, { type Configuration, type JWK } from 'oidc-provider'
import { errorPage } from './error-page.ts'
import { newKeys } from './keys.ts'
import { memory } from './memory.ts'
import { signIn } from './sign-in.ts'
import { claimsOf, grantAnything, resourceServer } from './tokens.ts'
import { addUserGrant, USER_GRANT } from './user-grant.ts'

/**
 * An OpenID provider whose keys can be replaced while it runs. Sessions and codes outlive that.
 */
export class IdentityProvider {
  readonly #issuer: string
  readonly #redirectUris: readonly string[]
  readonly #memory = memory()
  readonly #cookieKeys = [randomBytes(32).toString('base64url')]
  /** Those that it signs with, one of each algorithm. */
  #current: readonly JWK[]
  #handle: (request: IncomingMessage, response: ServerResponse) => void

  constructor(issuer: string, redirectUris: readonly string[], keys: readonly JWK[]) {
    this.#issuer = issuer
    this.#redirectUris = redirectUris
    this.#current = keys
    this.#handle = this.#publishing([])
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#handle(request, response)
  }

  /** Signs with new keys, and publishes the former as well. */
  async rotate(): Promise<void> {
    const former = this.#current
    this.#current = await newKeys()
    this.#handle = this.#publishing(former)
  }

  /** Publishes none but the keys that it signs with. */
  withdraw(): void {
    this.#handle = this.#publishing([])
  }

  // The library takes its keys once. Of two that would do, it signs with the first.
  #publishing(former: readonly JWK[]): (request: IncomingMessage, response: ServerResponse) => void {
    const provider = new Provider(this.#issuer, this.#configuration([...this.#current, ...former]))
    addUserGrant(provider)
    provider.use(signIn(provider))
    provider.on('server_error', (_, error) => console.error(error))
    const handle = provider.callback()
    return (request, response) => void handle(request, response)
  }

  #configuration(keys: readonly JWK[]): Configuration {
    return {
      adapter: this.#memory,
      jwks: { keys: [...keys] },
      cookies: { keys: this.#cookieKeys },
      clients: [
        {
          client_id: 'job',
          client_secret: 'demonstration',
          grant_types: ['client_credentials', USER_GRANT],
          redirect_uris: [],
          response_types: []
        },
        ...(this.#redirectUris.length === 0 ? [] : [browser(this.#redirectUris), web(this.#redirectUris)])
      ],
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => [],
          getResourceServerInfo: resourceServer,
          // A token without a resource would be of no use to any application.
          useGrantedResource: () => true
        }
      },
      interactions: { url: (_, { uid }) => `/sign-in/${uid}` },
      pkce: { required: () => true },
      findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
      extraTokenClaims: claimsOf,
      issueRefreshToken: async (_, client) => client.grantTypeAllowed('refresh_token'),
      loadExistingGrant: grantAnything,
      renderError: errorPage,
      ttl: {
        AccessToken: (_, { resourceServer: server }) => server?.accessTokenTTL ?? HOUR_S,
        ClientCredentials: (_, { resourceServer: server }) => server?.accessTokenTTL ?? HOUR_S,
        AuthorizationCode: 60,
        Grant: 24 * HOUR_S,
        IdToken: HOUR_S,
        Interaction: HOUR_S,
        Session: 24 * HOUR_S
      }
    }
  }
}

const HOUR_S = 3600

const browser = (redirectUris: readonly string[]) => ({
  client_id: 'browser',
  token_endpoint_auth_method: 'none' as const,
  grant_types: ['authorization_code'],
  response_types: ['code' as const],
  redirect_uris: [...redirectUris]
})

/** A server that people use with a browser: it keeps a secret, and stays signed in with refresh tokens. */
const web = (redirectUris: readonly string[]) => ({
  ...browser(redirectUris),
  client_id: 'web',
  client_secret: 'demonstration',
  token_endpoint_auth_method: 'client_secret_basic' as const,
  grant_types: ['authorization_code', 'refresh_token'],
  post_logout_redirect_uris: [...new Set(redirectUris.map(uri => `${new URL(uri).origin}/`))]
})
