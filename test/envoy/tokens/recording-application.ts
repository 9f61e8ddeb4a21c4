import { createServer as createHttp2Server } from 'node:http2'
import { createServer, type Socket } from 'node:net'

/** An application that believes everything: it reads a request from whatever bytes it gets, and keeps what it got. */
export interface RecordingApplication {
  /** All that came, requests of HTTP/2 as text, in latin1. */
  received(): string
  /** How many connections it has had. */
  readonly connections: number
  stop(): Promise<void>
}

const PREFACE = 'PRI * HTTP/2.0'
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nrecorded'

/** Answers 200 and `recorded` to each request. Stopped by its caller. */
export async function startRecordingApplication(address: string, port: number): Promise<RecordingApplication> {
  let all = ''
  let connections = 0
  const sockets = new Set<Socket>()
  const http2 = createHttp2Server((request, response) => {
    all += `${request.method} ${request.url}\n${request.rawHeaders.join('\n')}\n`
    response.end('recorded')
  })
  const server = createServer(socket => {
    connections++
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    socket.once('data', first => {
      if (first.toString('latin1').startsWith(PREFACE)) {
        socket.pause()
        socket.unshift(first)
        http2.emit('connection', socket)
        return
      }
      const record = (part: Buffer): void => {
        const text = part.toString('latin1')
        all += text
        if (/\r?\n\r?\n/.test(text)) socket.write(ANSWER)
      }
      record(first)
      socket.on('data', record)
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, resolve)
  })
  return {
    received: () => all,
    get connections() {
      return connections
    },
    stop: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      })
  }
}
