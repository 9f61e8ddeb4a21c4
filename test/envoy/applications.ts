import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { createRoot, privateKeyToPem, toPem } from '../../shared/x509/index.ts'

/** What an application of a test saw of a request. */
export interface Seen {
  readonly protocol: string
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  /** Where the connection came from. */
  readonly source: string
}

export interface Application {
  /** How many connections it has had. */
  readonly connections: number
  stop(): Promise<void>
}

/** Answers 200 and what it saw as JSON; echoes the bytes of a WebSocket after the handshake. */
export async function startHttpApplication(address: string, port: number): Promise<Application> {
  const server = createHttpServer((request, response) => {
    const { httpVersion, method = '', url = '', headers, socket } = request
    const seen: Seen = { protocol: httpVersion, method, url, headers, source: socket.remoteAddress ?? '' }
    response.setHeader('content-type', 'application/json').end(JSON.stringify(seen))
  })
  server.on('upgrade', (_, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n')
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  })
  return listening(server, address, port)
}

/** The same in HTTP/2 with prior knowledge, and in nothing else. */
export async function startHttp2Application(address: string, port: number): Promise<Application> {
  const server = createHttp2Server((request, response) => {
    const { httpVersion, method = '', url = '', headers, socket } = request
    const seen: Seen = { protocol: httpVersion, method, url, headers, source: socket.remoteAddress ?? '' }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(seen))
  })
  return listening(server, address, port)
}

/** Says `greeting` first, where there is one, and echoes from then on. */
export async function startTcpApplication(address: string, port: number, greeting = ''): Promise<Application> {
  const server = createServer(socket => {
    if (greeting !== '') socket.write(greeting)
    socket.pipe(socket)
  })
  return listening(server, address, port)
}

/** Speaks TLS of its own, with a certificate that nobody knows, and echoes. */
export async function startTlsApplication(address: string, port: number): Promise<Application> {
  const { certificate, privateKey } = await createRoot({
    commonName: 'application',
    notBefore: Date.now() - 60_000,
    notAfter: Date.now() + 3_600_000
  })
  const server = createTlsServer({ cert: toPem([certificate]), key: privateKeyToPem(privateKey) }, socket => {
    socket.on('error', () => socket.destroy())
    socket.pipe(socket)
  })
  server.on('tlsClientError', () => {})
  return listening(server, address, port)
}

async function listening(server: Server, address: string, port: number): Promise<Application> {
  const sockets = new Set<Socket>()
  let connections = 0
  server.on('connection', socket => {
    connections++
    sockets.add(socket)
    // A peer that is killed resets what it has open.
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, address, resolve)
  })
  return {
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
