import { type AsymmetricSigningAlgorithm, errors, type KoaContextWithOIDC, type ResourceServer } from 'oidc-provider'

const ALGORITHMS: readonly string[] = ['RS256', 'ES256', 'EdDSA'] satisfies AsymmetricSigningAlgorithm[]
const SCOPE = 'read write'
const HOUR_S = 3600

/** Whoever asks for an audience (RFC 8707) gets access tokens for it in the format of RFC 9068. */
export function resourceServer({ oidc }: KoaContextWithOIDC, resource: string): ResourceServer {
  const { algorithm = 'RS256', lifetime = String(HOUR_S) } = oidc.params ?? {}
  if (!ALGORITHMS.includes(String(algorithm)))
    throw new errors.InvalidRequest(`algorithm ${String(algorithm)} is not one of ${ALGORITHMS.join(', ')}`)
  const accessTokenTTL = Number(lifetime)
  if (!Number.isSafeInteger(accessTokenTTL) || accessTokenTTL < 1)
    throw new errors.InvalidRequest(`lifetime ${String(lifetime)} is no number of seconds`)
  return {
    audience: resource,
    scope: SCOPE,
    accessTokenFormat: 'jwt',
    accessTokenTTL,
    jwt: { sign: { alg: algorithm as AsymmetricSigningAlgorithm } }
  }
}

/** What a program wants in a token beside the usual. */
export function claimsOf({ oidc }: KoaContextWithOIDC): Record<string, unknown> | undefined {
  const { token_claims: text } = oidc.params ?? {}
  if (text === undefined) return undefined
  const claims = parsed(String(text))
  if (typeof claims !== 'object' || claims === null || Array.isArray(claims))
    throw new errors.InvalidRequest('token_claims is no JSON object')
  return { ...claims }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Nobody is asked whether a client may have what it asks for. */
export async function grantAnything({ oidc }: KoaContextWithOIDC) {
  const { provider, client, session, resourceServers = {} } = oidc
  if (client === undefined || session?.accountId === undefined) return undefined
  const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
  grant.addOIDCScope('openid')
  for (const resource of Object.keys(resourceServers)) grant.addResourceScope(resource, SCOPE)
  await grant.save()
  return grant
}
