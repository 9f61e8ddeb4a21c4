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
  /** The same as they came: name, value, name, value. */
  readonly rawHeaders: readonly string[]
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
    const { httpVersion, method = '', url = '', headers, rawHeaders, socket } = request
    const seen: Seen = { protocol: httpVersion, method, url, headers, rawHeaders, source: socket.remoteAddress ?? '' }
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
    const { httpVersion, method = '', url = '', headers, rawHeaders, socket } = request
    const seen: Seen = { protocol: httpVersion, method, url, headers, rawHeaders, source: socket.remoteAddress ?? '' }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(seen))
  })
  return listening(server, address, port)
}

/** What a gRPC server says when it is asked for its health (grpc.health.v1). */
export interface HealthAnswer {
  /** `ServingStatus` in HealthCheckResponse: 0 unknown, 1 serving, 2 not serving; undefined: no message at all. */
  readonly state?: number
  /** Undefined: the stream ends without one. */
  readonly grpcStatus?: string
  readonly httpStatus?: number
  readonly contentType?: string
}

/** A gRPC server with nothing but its health; the question is the name of the service. */
export async function startHealthApplication(
  address: string,
  port: number,
  answer: (service: string, headers: IncomingHttpHeaders) => HealthAnswer
): Promise<Application> {
  const server = createHttp2Server()
  server.on('stream', (stream, headers) => {
    const parts: Buffer[] = []
    stream.on('error', () => stream.destroy())
    stream.on('data', part => parts.push(Buffer.from(part)))
    stream.on('end', () => {
      const {
        state,
        grpcStatus,
        httpStatus = 200,
        contentType = 'application/grpc'
      } = answer(serviceIn(Buffer.concat(parts)), headers)
      const head = { ':status': httpStatus, 'content-type': contentType }
      const trailers = grpcStatus === undefined ? {} : { 'grpc-status': grpcStatus, 'grpc-message': 'because' }
      if (state === undefined) return stream.respond({ ...head, ...trailers }, { endStream: true })
      stream.on('wantTrailers', () => stream.sendTrailers(trailers))
      stream.respond(head, { waitForTrailers: grpcStatus !== undefined })
      // What is zero is left out (protobuf, proto3).
      const message = state === 0 ? [] : [8, state]
      stream.end(Buffer.from([0, 0, 0, 0, message.length, ...message]))
    })
  })
  return listening(server, address, port)
}

/** Of a length-prefixed HealthCheckRequest, whose one field is a string. */
function serviceIn(bytes: Buffer): string {
  const message = bytes.subarray(5)
  if (bytes[0] !== 0 || bytes.readUInt32BE(1) !== message.length)
    throw new Error(`no message: ${bytes.toString('hex')}`)
  if (message.length === 0) return ''
  const lengthBytes = (message[1] ?? 0) < 0x80 ? 1 : 2
  return message.subarray(1 + lengthBytes).toString()
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
