// An identity provider for demonstrations and tests: OpenID Connect with real keys and real tokens, for users who need
// only say who they are. It asks nobody for a password, gives everybody a token of any content, and keeps its keys in
// memory: never let anything rely on it that matters.
//
// HOST and PORT say where it listens (127.0.0.1 and 8080), ISSUER what it calls itself (http://HOST:PORT),
// REDIRECT_URIS to where the clients `browser` and `web` may send people back (separated by commas).
//
// Whoever can reach it can replace its keys:
//   POST /keys/rotate    signs with new keys; the former are published on, as for the lifetime of their tokens
//   POST /keys/withdraw  publishes only the keys that it signs with now, as after a theft
//
// For programs (client `job`, secret `demonstration`; RFC 6749, section 4.4):
//   POST /token  grant_type=client_credentials&resource=AUDIENCE
//   POST /token  grant_type=urn:countersign:demonstration:user&username=NAME&resource=AUDIENCE, and, where wanted,
//                algorithm=RS256|ES256|EdDSA, lifetime=SECONDS, token_claims=JSON
// For browsers: client `browser`, the authorization code flow with PKCE; and client `web` with the secret
// `demonstration`, for servers, which gets refresh tokens as well.

import { createServer } from 'node:http'
import { administration } from './administration.ts'
import { IdentityProvider } from './identity-provider.ts'
import { newKeys } from './keys.ts'

// biome-ignore lint/style/noProcessEnv: a program of a user, outside the rooms of Countersign
const { HOST = '127.0.0.1', PORT = '8080', ISSUER = `http://${HOST}:${PORT}`, REDIRECT_URIS = '' } = process.env

const redirectUris = REDIRECT_URIS.split(',').filter(uri => uri !== '')
const identityProvider = new IdentityProvider(ISSUER, redirectUris, await newKeys())
const administer = administration(identityProvider)

const server = createServer((request, response) => {
  if (!administer(request, response)) identityProvider.handle(request, response)
})
server.listen(Number(PORT), HOST, () => console.log(`${ISSUER} listens on ${HOST}:${PORT}`))
process.once('SIGTERM', () => {
  server.close()
  server.closeIdleConnections()
})
