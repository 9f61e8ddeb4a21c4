import { constants } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import { CountersignError, type Facts } from '../errors/index.ts'
import type { Logger } from '../log/index.ts'
import type { InjectedServer } from './injected-server.ts'
import { peerChain } from './peer-chain.ts'

/** What a TLS server shows. PEM; the certificate is followed by its intermediates. */
export interface ServingCredentials {
  readonly key: string
  readonly cert: string
}

export interface TlsListenerOptions {
  /** `host:port`; port 0 takes a free one. IPv6 addresses stand in brackets. */
  readonly address: string
  readonly credentials: { current(): ServingCredentials; subscribe(listener: () => void): () => void }
  /**
   * Who is at the other end, from the certificates that it presented and whose key it proved to hold: DER, its own
   * first, empty if it presented none. None of them is verified yet. Undefined, or an error: the connection is closed.
   */
  readonly identify: (chain: readonly Buffer[], log: Logger) => string | undefined
  readonly server: InjectedServer
  readonly log: Logger
  /** Most connections open at one time; further ones are closed at once. 10,000 unless given. */
  readonly maxConnections?: number
  /** Longest handshake; 10 s unless given. */
  readonly handshakeTimeoutMs?: number
}

export interface TlsListener {
  readonly port: number
  /** Stops listening. Connections go on: they belong to the server. */
  close(): void
}

/**
 * Accepts TLS 1.3 connections for a gRPC server. Client certificates are asked for and not required; `identify`
 * verifies them, because what it has to check is a SPIFFE ID, and roots that change. When the credentials change, new
 * connections get the new ones and open connections stay.
 *
 * Sessions are never resumed: a resumed session would show a client's certificate without its chain.
 *
 * @throws CountersignError ERR_ADDRESS_UNUSABLE, ERR_CERTIFICATE_INVALID when the credentials are not usable
 */
export async function listenTls(options: TlsListenerOptions): Promise<TlsListener> {
  const { address, credentials, identify, server, log } = options
  const tls = createTlsServer(contextOf(credentials.current()), options.handshakeTimeoutMs ?? 10_000)
  tls.maxConnections = options.maxConnections ?? 10_000
  let full = false

  tls.on('secureConnection', socket => {
    full = false
    const facts = { remote: `${socket.remoteAddress}:${socket.remotePort}` }
    // The connection may break before grpc-js, which handles errors from then on, has it.
    socket.on('error', err => log.debug({ err, ...facts }, 'connection broke'))
    const peer = identifySafely(socket, identify, log, facts)
    if (peer === undefined) socket.destroy()
    else server.accept(socket, peer)
  })
  tls.on('tlsClientError', (err, socket) => {
    log.debug({ err, remote: socket.remoteAddress }, 'handshake failed')
    socket.destroy()
  })

  const port = await listen(tls, address)
  tls.on('error', err => log.error({ err }, 'connections cannot be accepted'))
  tls.on('drop', drop => {
    // Said once: whoever opens too many connections must not fill the log as well.
    if (!full) log.warn({ remote: drop?.remoteAddress, allowed: tls.maxConnections }, 'too many connections')
    full = true
  })
  const unsubscribe = credentials.subscribe(() => {
    try {
      tls.setSecureContext(contextOf(credentials.current()))
      log.info('serving certificate is replaced')
    } catch (thrown) {
      log.error({ err: CountersignError.from(thrown) }, 'serving certificate is not usable; the last one stays in use')
    }
  })
  return {
    port,
    close() {
      unsubscribe()
      tls.close()
    }
  }
}

function identifySafely(
  socket: TLSSocket,
  identify: TlsListenerOptions['identify'],
  log: Logger,
  facts: Facts
): string | undefined {
  const connectionLog = log.child(facts)
  if (socket.alpnProtocol !== 'h2') {
    connectionLog.debug('connection does not speak HTTP/2')
    return undefined
  }
  try {
    return identify(peerChain(socket.getPeerCertificate(true)), connectionLog)
  } catch (thrown) {
    connectionLog.warn({ err: CountersignError.from(thrown) }, 'connection is refused')
    return undefined
  }
}

function contextOf({ key, cert }: ServingCredentials): TlsOptions {
  return { key, cert, minVersion: 'TLSv1.3', secureOptions: constants.SSL_OP_NO_TICKET }
}

function createTlsServer(context: TlsOptions, handshakeTimeout: number): Server {
  try {
    return createServer({
      ...context,
      handshakeTimeout,
      ALPNProtocols: ['h2'],
      requestCert: true,
      rejectUnauthorized: false
    })
  } catch (thrown) {
    throw CountersignError.from(thrown, 'ERR_CERTIFICATE_INVALID', 'the serving certificate is not usable')
  }
}

function listen(server: Server, address: string): Promise<number> {
  const { host, port } = parseAddress(address)
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void =>
      reject(CountersignError.from(cause, 'ERR_ADDRESS_UNUSABLE', `cannot listen on ${address}`))
    server.once('error', fail)
    server.listen({ host, port }, () => {
      server.off('error', fail)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

function parseAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[(?<v6>[0-9a-fA-F:.]+)\]|(?<host>[^:[\]]+)):(?<port>\d{1,5})$/.exec(address)
  const port = Number(match?.groups?.['port'])
  const host = match?.groups?.['v6'] ?? match?.groups?.['host']
  if (host === undefined || port > 65_535)
    throw new CountersignError('ERR_ADDRESS_UNUSABLE', `address ${JSON.stringify(address)} is not host:port`)
  return { host, port }
}
