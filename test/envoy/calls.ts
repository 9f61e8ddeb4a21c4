import type { KeyObject } from 'node:crypto'
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request } from 'node:http'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type Certificate, privateKeyToPem, toPem } from '../../shared/x509/index.ts'

export interface Call {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface CallOptions {
  readonly address: string
  readonly port: number
  /** A path, or a whole URL where the other end is an HTTP proxy. */
  readonly path?: string
  readonly method?: string
  readonly headers?: OutgoingHttpHeaders
  /** Where the connection comes from. */
  readonly localAddress?: string
}

const DEADLINE_MS = 20_000

/** One HTTP/1.1 request on a connection of its own. */
export function call({
  address,
  port,
  path = '/',
  method = 'GET',
  headers = {},
  localAddress
}: CallOptions): Promise<Call> {
  return new Promise((resolve, reject) => {
    const from = localAddress === undefined ? {} : { localAddress }
    const asked = request(
      { host: address, port, path, method, headers, agent: false, timeout: DEADLINE_MS, ...from },
      response => {
        const parts: Buffer[] = []
        response.on('data', part => parts.push(part))
        response.on('error', reject)
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(parts).toString()
          })
        )
      }
    )
    asked.on('error', reject)
    asked.on('timeout', () => asked.destroy(new Error(`no answer from ${address}:${port}`)))
    asked.end()
  })
}

/** Calls a URL through the HTTP proxy of a pod. */
export function callThrough(address: string, url: string, options: Partial<CallOptions> = {}): Promise<Call> {
  return call({ address, port: 15001, path: url, ...options, headers: { host: new URL(url).host, ...options.headers } })
}

/** A connection whose bytes are collected. */
export interface Conversation {
  readonly socket: Socket
  write(text: string | Buffer): void
  /** Resolves with all that came, once it holds `text`; rejects when the connection ends before. */
  received(text: string): Promise<string>
  /** Resolves with all that came, once it is `complete`; rejects when the connection ends before. */
  whole(complete: (all: string) => boolean): Promise<string>
  /** Resolves with all that came, once the other end has closed or reset. */
  ended(): Promise<string>
  close(): void
}

function converse(socket: Socket): Conversation {
  let all = ''
  let over = false
  const watchers = new Set<() => void>()
  const tell = (): void => {
    for (const watcher of [...watchers]) watcher()
  }
  socket.setNoDelay(true)
  socket.on('data', part => {
    all += part.toString('latin1')
    tell()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    over = true
    tell()
  })
  socket.on('end', () => {
    over = true
    tell()
  })
  const until = (done: () => boolean, what: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer)
        watchers.delete(look)
        settle()
      }
      const look = (): void => {
        if (done()) finish(() => resolve(all))
        else if (over)
          finish(() => reject(new Error(`the connection ended before ${what}; it said ${JSON.stringify(all)}`)))
      }
      const timer = setTimeout(
        () => finish(() => reject(new Error(`no ${what} in time; it said ${JSON.stringify(all)}`))),
        DEADLINE_MS
      )
      watchers.add(look)
      look()
    })
  return {
    socket,
    write: text => void socket.write(text),
    received: text => until(() => all.includes(text), JSON.stringify(text)),
    whole: complete => until(() => complete(all), 'whole answer'),
    ended: () => until(() => over, 'end'),
    close: () => void socket.destroy()
  }
}

export function open(address: string, port: number, localAddress?: string): Promise<Conversation> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: address, port, ...(localAddress === undefined ? {} : { localAddress }) })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(converse(socket))
    })
  })
}

/** Asks a pod's HTTP proxy for a tunnel (RFC 9110, section 9.3.6). */
export async function tunnelThrough(address: string, target: string): Promise<Conversation> {
  const conversation = await open(address, 15001)
  conversation.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`)
  await conversation.received('\r\n\r\n')
  return conversation
}

export interface TlsOptions {
  readonly address: string
  readonly port: number
  /** What the client shows; default: no certificate. */
  readonly svid?: { readonly chain: readonly Certificate[]; readonly privateKey: KeyObject }
  readonly servername?: string
  readonly maxVersion?: 'TLSv1.2'
  /** What it offers to speak inside (RFC 7301); default: it says nothing of it. */
  readonly alpn?: readonly string[]
  /** A connection that is there already: TLS within it. */
  readonly socket?: Socket
}

/** A TLS connection as somebody without a proxy makes it. Verifies nothing. */
export function openTls({
  address,
  port,
  svid,
  servername,
  maxVersion,
  alpn,
  socket
}: TlsOptions): Promise<Conversation> {
  return new Promise((resolve, reject) => {
    const tls = connectTls({
      ...(socket === undefined ? { host: address, port } : { socket }),
      rejectUnauthorized: false,
      ...(svid === undefined ? {} : { cert: toPem(svid.chain), key: privateKeyToPem(svid.privateKey) }),
      ...(servername === undefined ? {} : { servername }),
      ...(maxVersion === undefined ? {} : { maxVersion }),
      ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] })
    })
    tls.once('error', reject)
    tls.once('secureConnect', () => {
      tls.off('error', reject)
      resolve(converse(tls))
    })
  })
}
