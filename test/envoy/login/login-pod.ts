import { startTokenPod, type TokenPod } from '../tokens/token-pod.ts'
import { Browser } from './browser.ts'
import { CLIENT_ID, type Issuer } from './issuer.ts'

/** What browsers call the application. */
export const HOST = 'orders.shop'
export const SITE = `http://${HOST}`

type Checks = Exclude<Parameters<TokenPod['apply']>[0], undefined>
type Provider = NonNullable<Checks['providers']>[number]
type Login = NonNullable<Provider['login']>
type Rule = NonNullable<Checks['rules']>[number]

export interface LoginWishes {
  readonly login?: Partial<Exclude<Login, { $typeName: string }>>
  readonly provider?: Partial<Exclude<Provider, { $typeName: string }>>
  readonly rule?: Partial<Exclude<Rule, { $typeName: string }>>
  /** Default `a secret`. */
  readonly secret?: string
  readonly jwks?: string
}

/** Has a pod demand tokens of an issuer, and send browsers there. */
export const applyLogin = (pod: TokenPod, issuer: Pick<Issuer, 'url' | 'jwks'>, wishes: LoginWishes = {}) =>
  pod.apply(
    {
      providers: [
        {
          name: 'web',
          issuer: issuer.url,
          audiences: ['api'],
          keySet: 'keys',
          requireExpiration: true,
          payloadHeader: 'x-user',
          login: {
            clientId: CLIENT_ID,
            secret: 'shop/web',
            scopes: ['openid'],
            redirectPath: '/oauth2/callback',
            signOutPath: '/oauth2/sign-out',
            authorizationEndpoint: `${issuer.url}/auth`,
            tokenEndpoint: `${issuer.url}/token`,
            ...wishes.login
          },
          ...wishes.provider
        }
      ],
      rules: [{ excludePaths: ['/open/*'], providers: ['web'], required: true, ...wishes.rule }]
    },
    { keys: wishes.jwks ?? issuer.jwks },
    { 'shop/web': wishes.secret ?? 'a secret' }
  )

export const startLoginPod = startTokenPod

export const newBrowser = (pod: TokenPod): Browser =>
  new Browser({ [HOST]: { address: pod.address, port: pod.port('http') } })
