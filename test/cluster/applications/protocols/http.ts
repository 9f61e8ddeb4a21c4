import { createServer, type IncomingMessage, request } from 'node:http'
import { text as textOf } from 'node:stream/consumers'
import type { Answer } from './answer.ts'
import { expectEcho, type Kind } from './kind.ts'

/** HTTP/1.1: each call by a connection of its own. */
export const http: Kind = {
  port: 8080,
  serve(port, hear) {
    const server = createServer((request, response) => {
      const answer = answerTo(request, decodeURIComponent(request.url?.slice(1) ?? ''))
      hear(answer)
      response.end(JSON.stringify(answer))
    })
    // Longer than any pause between requests: a proxy that keeps connections must not meet one that is just closing.
    server.keepAliveTimeout = 120_000
    server.listen(port)
    return {
      close() {
        server.close()
        server.closeIdleConnections()
      }
    }
  },
  call: (host, port, text) =>
    new Promise((resolve, reject) => {
      const options = { host, port, path: `/${encodeURIComponent(text)}`, agent: false }
      const calling = request(options, async response => {
        try {
          const body = await textOf(response)
          if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${body}`)
          expectEcho(JSON.parse(body) as Answer, text)
          resolve()
        } catch (thrown) {
          reject(thrown)
        }
      })
      calling.on('error', reject).end()
    })
}

/** What an HTTP request, or what follows it, is answered. */
export function answerTo({ headers, socket }: IncomingMessage, echo: string): Answer {
  const certificate = headers['x-forwarded-client-cert']
  return { echo, clientCertificate: certificate?.toString() ?? null, source: socket.remoteAddress ?? '' }
}
