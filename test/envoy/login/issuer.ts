import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { keySet, newSigningKey, type SigningKey, signed } from '../../oidc/index.ts'

/** What it answers at its token endpoint; each is read anew for every answer. */
export interface Answers {
  /** Claims beside the usual ones, or instead of them; undefined: no ID token at all. */
  claims: Readonly<Record<string, unknown>> | undefined
  /** Of the access token, in seconds. */
  expiresIn: number
  refreshToken: string | undefined
  /** Default 200. */
  status: number
  key: SigningKey
}

/** What a proxy asked at the token endpoint. */
export interface TokenRequest {
  readonly authorization: string | undefined
  readonly form: Readonly<Record<string, string>>
}

/** An issuer of tokens, as good or bad as a test wants it: everybody is `ada`, and is asked nothing. */
export interface Issuer {
  readonly url: string
  readonly answers: Answers
  readonly requests: TokenRequest[]
  readonly jwks: string
  stop(): Promise<void>
}

export const CLIENT_ID = 'shop-web'

export interface IssuerOptions {
  /** What it shows, as PEM; default: it speaks no TLS. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

export async function startIssuer({ tls }: IssuerOptions = {}): Promise<Issuer> {
  const key = newSigningKey('ES256')
  const requests: TokenRequest[] = []
  const answers: Answers = { claims: {}, expiresIn: 3600, refreshToken: undefined, status: 200, key }
  let url = ''
  const tokens = () => ({
    access_token: 'opaque-access-token',
    token_type: 'Bearer',
    expires_in: answers.expiresIn,
    ...(answers.refreshToken === undefined ? {} : { refresh_token: answers.refreshToken }),
    ...(answers.claims === undefined
      ? {}
      : {
          id_token: signed(answers.key, {
            iss: url,
            sub: 'ada',
            aud: CLIENT_ID,
            iat: seconds(),
            exp: seconds() + 3600,
            ...answers.claims
          })
        })
  })
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, searchParams } = new URL(request.url ?? '', url)
    if (pathname === '/auth') {
      const back = new URL(searchParams.get('redirect_uri') ?? '')
      back.search = String(new URLSearchParams({ code: 'a-code', state: searchParams.get('state') ?? '' }))
      response.writeHead(302, { location: String(back) }).end()
      return
    }
    const { authorization } = request.headers
    requests.push({ authorization, form: Object.fromEntries(new URLSearchParams(await bodyOf(request))) })
    response.writeHead(answers.status, { 'content-type': 'application/json' })
    response.end(JSON.stringify(answers.status === 200 ? tokens() : { error: 'invalid_grant' }))
  }
  const listener = (request: IncomingMessage, response: ServerResponse): void => void answer(request, response)
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  url = tls === undefined ? `http://127.0.0.1:${port}` : `https://localhost:${port}`
  return {
    url,
    answers,
    requests,
    jwks: keySet(key),
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}

export const seconds = (): number => Math.floor(Date.now() / 1000)

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part)
  return Buffer.concat(parts).toString()
}
