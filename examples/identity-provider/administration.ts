import type { IncomingMessage, ServerResponse } from 'node:http'
import type { IdentityProvider } from './identity-provider.ts'

/** Answers what changes the keys: 204, or 405 for what is no POST. False: the request is not for it. */
export const administration =
  (identityProvider: IdentityProvider) =>
  (request: IncomingMessage, response: ServerResponse): boolean => {
    const change = changeOf(request.url, identityProvider)
    if (change === undefined) return false
    if (request.method !== 'POST') {
      response.writeHead(405, { allow: 'POST' }).end()
      return true
    }
    change().then(
      () => response.writeHead(204).end(),
      (error: unknown) => {
        console.error(error)
        response.writeHead(500).end()
      }
    )
    return true
  }

function changeOf(url: string | undefined, identityProvider: IdentityProvider): (() => Promise<void>) | undefined {
  switch (url) {
    case '/keys/rotate':
      return () => identityProvider.rotate()
    case '/keys/withdraw':
      return async () => identityProvider.withdraw()
    default:
      return undefined
  }
}
