import { connect, createServer } from 'node:http2'
import { text as textOf } from 'node:stream/consumers'
import type { Answer } from './answer.ts'
import { expectEcho, type Kind } from './kind.ts'

/** HTTP/2 in the clear with prior knowledge (RFC 9113, section 3.3), and nothing else. */
export const http2: Kind = {
  port: 8081,
  serve(port, hear) {
    const server = createServer()
    server.on('stream', (stream, headers) => {
      const certificate = headers['x-forwarded-client-cert']
      const answer: Answer = {
        echo: decodeURIComponent(headers[':path']?.slice(1) ?? ''),
        clientCertificate: certificate?.toString() ?? null,
        source: stream.session?.socket.remoteAddress ?? ''
      }
      hear(answer)
      stream.respond({ ':status': 200 })
      stream.end(JSON.stringify(answer))
    })
    return server.listen(port)
  },
  async call(address, port, text) {
    const session = connect(`http://${address}:${port}`)
    try {
      const { status, body } = await new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
        session.on('error', reject)
        // Closed in good order before it has answered: a refusal as well.
        session.once('close', () => reject(new Error('the session was closed')))
        const stream = session.request({ ':path': `/${encodeURIComponent(text)}` })
        stream.on('error', reject)
        stream.once('response', ({ ':status': status }) => {
          textOf(stream).then(body => resolve({ status, body }), reject)
        })
      })
      if (status !== 200) throw new Error(`${status} ${body}`)
      expectEcho(JSON.parse(body) as Answer, text)
    } finally {
      session.destroy()
    }
  }
}
