import { errors, type Provider } from 'oidc-provider'
import { resourceServer } from './tokens.ts'

/** A token for a user who is not there. Like the password grant (RFC 6749, section 4.3), without the password. */
export const USER_GRANT = 'urn:countersign:demonstration:user'

const PARAMETERS = ['username', 'resource', 'scope', 'algorithm', 'lifetime', 'token_claims']

/** RFC 6749, section 5. */
export function addUserGrant(provider: Provider): void {
  provider.registerGrantType<{ username?: string }>(
    USER_GRANT,
    async ctx => {
      const { client, params } = ctx.oidc
      if (!params.username) throw new errors.InvalidRequest('username is missing')
      if (!params.resource || typeof params.resource !== 'string')
        throw new errors.InvalidTarget('resource is missing: the audience of the token')
      const token = new provider.AccessToken({
        client,
        accountId: params.username,
        grantId: '',
        gty: USER_GRANT,
        scope: params.scope ?? ''
      })
      token.resourceServer = new provider.ResourceServer(params.resource, resourceServer(ctx, params.resource))
      const value = await token.save()
      ctx.body = { access_token: value, token_type: 'Bearer', expires_in: token.expiration }
    },
    PARAMETERS
  )
}
