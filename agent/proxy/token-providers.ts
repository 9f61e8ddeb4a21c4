import { createHash } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import type { TokenHeader, TokenProvider } from '../../shared/proto/gen/countersign/mesh/v1/mesh_pb.js'
import {
  type JwtProvider,
  JwtProviderSchema
} from '../../shared/proto/gen/envoy/extensions/filters/http/jwt_authn/v3/config_pb.js'

// Where Envoy's filter keeps, in its own metadata, the header and the payload of a verified token. Each provider has
// keys of its own: under one key, the token that is verified last would replace those before it.
export const headerKey = (provider: string): string => `header of ${provider}`
export const payloadKey = (provider: string): string => `payload of ${provider}`

// As Istio has them: text with spaces, which policies compare word by word (RFC 8693, section 4.2).
const SPACE_DELIMITED = ['permission', 'scope']

/** `jwks`: empty while there are no keys. */
export const jwtProvider = (provider: TokenProvider, jwks: string): JwtProvider =>
  create(JwtProviderSchema, {
    issuer: provider.issuer,
    audiences: provider.audiences,
    requireExpiration: provider.requireExpiration,
    jwksSourceSpecifier: local(jwks === '' ? NOBODYS_KEY : jwks),
    // The script after the filter looks at every place, and removes the token where the application is not to have it.
    // Envoy removes a parameter by writing the whole query anew, with its other parameters decoded.
    forward: true,
    ...placesOf(provider),
    forwardPayloadHeader: provider.payloadHeader,
    claimToHeaders: provider.claimHeaders.map(({ header, claim }) => ({ headerName: header, claimName: claim })),
    payloadInMetadata: payloadKey(provider.name),
    headerInMetadata: headerKey(provider.name),
    normalizePayloadInMetadata: {
      spaceDelimitedClaims: [...new Set([...SPACE_DELIMITED, ...provider.spaceDelimitedClaims])]
    }
  })

/** Where tokens are looked for. */
export interface TokenPlaces {
  readonly headers: readonly Pick<TokenHeader, 'name' | 'prefix'>[]
  readonly params: readonly string[]
  readonly cookies: readonly string[]
}

// As Envoy has them where nothing is said (RFC 6750, section 2).
const DEFAULT_PLACES: TokenPlaces = {
  headers: [{ name: 'authorization', prefix: 'Bearer ' }],
  params: ['access_token'],
  cookies: []
}

/** The name of a scheme may be written in any case (RFC 9110, section 11.1): those are in which it is written. */
const BEARER = ['Bearer ', 'bearer ', 'BEARER ']

/** Whether a header holds the scheme Bearer, however it is written. */
export const isBearer = ({ name, prefix }: Pick<TokenHeader, 'name' | 'prefix'>): boolean =>
  name.toLowerCase() === 'authorization' && BEARER.includes(prefix)

export function tokenPlaces({ fromHeaders, fromParams, fromCookies }: TokenProvider): TokenPlaces {
  const given = { headers: fromHeaders, params: fromParams, cookies: fromCookies }
  const { headers, params, cookies } = Object.values(given).every(({ length }) => length === 0) ? DEFAULT_PLACES : given
  return {
    headers: headers.flatMap(({ name, prefix }) =>
      isBearer({ name, prefix }) ? BEARER.map(spelling => ({ name, prefix: spelling })) : [{ name, prefix }]
    ),
    params,
    cookies
  }
}

function placesOf(provider: TokenProvider) {
  const { headers, params, cookies } = tokenPlaces(provider)
  return {
    fromHeaders: headers.map(({ name, prefix }) => ({ name, valuePrefix: prefix })),
    fromParams: [...params],
    fromCookies: [...cookies]
  }
}

/** A key that nobody has the private half of: with no key at all Envoy would refuse the configuration. */
const NOBODYS_KEY = JSON.stringify({
  keys: [
    {
      kty: 'OKP',
      crv: 'Ed25519',
      alg: 'EdDSA',
      kid: 'countersign.dev/nobody',
      x: createHash('sha256').update('countersign: the keys are not known yet').digest('base64url')
    }
  ]
})

const local = (jwks: string) => ({
  case: 'localJwks' as const,
  value: { specifier: { case: 'inlineString' as const, value: jwks } }
})
