import { create } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import type { Login } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  OAuth2Config_AuthType as AuthType,
  CookieConfigSchema,
  type OAuth2,
  OAuth2Schema,
  CookieConfig_SameSite as SameSite
} from '../../shared/proto/gen/envoy/extensions/filters/http/oauth2/v3/oauth_pb.js'
import {
  type HttpFilter,
  HttpFilterSchema
} from '../../shared/proto/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js'
import { type PathMatcher, PathMatcherSchema } from '../../shared/proto/gen/envoy/type/matcher/v3/path_pb.js'
import { secretFromAgent } from './config-source.ts'
import { milliseconds } from './duration.ts'
import { type ActiveLogin, cookieName, SESSION_HEADER } from './login.ts'
import { notSentAway, unconcerned } from './login-requests.ts'
import { clientSecretName, sessionKeyName } from './names.ts'
import { tokenEndpointClusterName } from './token-endpoint.ts'

/**
 * The authorization code flow with PKCE (RFC 7636), and the session that comes of it, in cookies that only the proxies
 * of the policy can read (Envoy, extensions/filters/http/oauth2/v3). The filter verifies no token: it hands the ID
 * token of a session on, to the one that does.
 */
export const loginFilter = (active: ActiveLogin): HttpFilter =>
  create(HttpFilterSchema, {
    name: 'end-users/login',
    configType: { case: 'typedConfig', value: anyPack(OAuth2Schema, configOf(active)) }
  })

function configOf(active: ActiveLogin): OAuth2 {
  const { login } = active
  return create(OAuth2Schema, {
    config: {
      authorizationEndpoint: login.authorizationEndpoint,
      tokenEndpoint: {
        uri: login.tokenEndpoint,
        httpUpstreamType: { case: 'cluster', value: tokenEndpointClusterName(login.tokenEndpoint) },
        timeout: milliseconds(10_000)
      },
      // A code is good for one request: only one that was not received is sent again.
      retryPolicy: { numRetries: 2, retryOn: 'connect-failure,refused-stream,reset-before-request' },
      ...(login.endSessionEndpoint === ''
        ? {}
        : {
            endSessionEndpoint: login.endSessionEndpoint,
            postLogoutRedirectUri: { config: { case: 'uri', value: `${ORIGIN}/` } }
          }),
      credentials: {
        clientId: login.clientId,
        tokenSecret: secretFromAgent(clientSecretName(login.secret)),
        tokenFormation: { case: 'hmacSecret', value: secretFromAgent(sessionKeyName(login.secret)) },
        cookieNames: cookieNames(login)
      },
      cookieConfigs: COOKIES,
      // Behind an ingress that ends TLS, only the header says what the browser uses.
      redirectUri: `${ORIGIN}${login.redirectPath}`,
      originalRequestUri: ORIGIN,
      redirectPathMatcher: exactly(login.redirectPath),
      signoutPath: exactly(login.signOutPath),
      authScopes: login.scopes,
      // What every provider of OpenID Connect takes where nothing else was agreed on (Core, section 9).
      authType: AuthType.BASIC_AUTH,
      passThroughMatcher: [...unconcerned(active)],
      allowFailedMatcher: [...notSentAway(active)],
      forwardIdToken: { header: SESSION_HEADER },
      forwardBearerToken: login.forwardTokens,
      useRefreshToken: true,
      // It may be left out (RFC 6749, section 5.1); the ID token has an end of its own in any case.
      defaultExpiresIn: milliseconds(3_600_000),
      // Browsers drop cookies of more than 4 KiB.
      tokenCookieChunking: {}
    }
  })
}

const ORIGIN = '%REQ(x-forwarded-proto?:scheme)%://%REQ(:authority)%'

const cookieNames = (login: Login) => ({
  bearerToken: cookieName(login, 'access'),
  oauthHmac: cookieName(login, 'hmac'),
  oauthExpires: cookieName(login, 'expires'),
  idToken: cookieName(login, 'id'),
  refreshToken: cookieName(login, 'refresh'),
  oauthNonce: cookieName(login, 'nonce'),
  codeVerifier: cookieName(login, 'verifier')
})

// Lax, for the way back from the issuer begins at another site.
const COOKIE = create(CookieConfigSchema, { sameSite: SameSite.LAX, path: '/' })
const COOKIES = {
  bearerTokenCookieConfig: COOKIE,
  oauthHmacCookieConfig: COOKIE,
  oauthExpiresCookieConfig: COOKIE,
  idTokenCookieConfig: COOKIE,
  refreshTokenCookieConfig: COOKIE,
  oauthNonceCookieConfig: COOKIE,
  codeVerifierCookieConfig: COOKIE
}

const exactly = (path: string): PathMatcher =>
  create(PathMatcherSchema, { rule: { case: 'path', value: { matchPattern: { case: 'exact', value: path } } } })
