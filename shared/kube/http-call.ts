import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Clock } from '../clock/index.ts'
import type { Access } from './access.ts'
import { refused, unanswered } from './api-error.ts'
import type { ConnectionPool } from './connection-pool.ts'

/** One request. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH'
  /** With an absolute path below the server's own. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly contentType?: string
  /** What may come back. Default: JSON. */
  readonly accept?: string
  readonly signal?: AbortSignal
}

export interface Caller {
  readonly access: Access
  readonly pool: ConnectionPool
  readonly userAgent: string
  readonly clock: Clock
}

/**
 * Sends a request and resolves with the response as soon as its head is there, the body still to be read.
 *
 * @throws CountersignError ERR_KUBERNETES_UNAVAILABLE or ERR_KUBERNETES_REFUSED
 */
export async function openCall(caller: Caller, call: Call): Promise<IncomingMessage> {
  const { access, pool, userAgent } = caller
  try {
    const credentials = await access.credentials()
    const headers = {
      ...credentials.headers,
      'User-Agent': userAgent,
      Accept: call.accept ?? 'application/json',
      ...bodyHeaders(call)
    }
    const send = (): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const request = access.server.protocol === 'https:' ? requestHttps : requestHttp
        const options = { method: call.method, headers, agent: pool.agentFor(credentials), signal: call.signal }
        const outgoing = request(urlOf(access.server, call), options as object, resolve)
        outgoing.on('error', error => {
          reject(Object.assign(error, { retriable: outgoing.reusedSocket && isReset(error) }))
        })
        outgoing.end(call.body === undefined ? undefined : JSON.stringify(call.body))
      })
    // The server may close a kept connection at the moment in which it is used again: Node.js, http.ClientRequest,
    // `reusedSocket`. What was done nevertheless is done twice to the same effect, or refused with 409.
    const response = await send().catch((error: { retriable?: boolean }) => {
      if (error.retriable) return send()
      throw error
    })
    // Aborted before anybody reads: whoever reads then is told, and nobody else needs to be.
    response.on('error', () => {})
    const { statusCode: status = 0 } = response
    if (status >= 200 && status < 300) return response
    throw refused(call, status, parsed(await bodyOf(response)), response.headers['retry-after'])
  } catch (thrown) {
    throw unanswered(call, thrown)
  }
}

/**
 * Sends a request and reads the whole answer, within `deadlineMs`.
 *
 * @throws CountersignError ERR_KUBERNETES_UNAVAILABLE or ERR_KUBERNETES_REFUSED
 */
export async function readCall(caller: Caller, call: Call, deadlineMs: number): Promise<string> {
  const late = new AbortController()
  const cancel = caller.clock.after(deadlineMs, () => late.abort(new Error(`no answer within ${deadlineMs} ms`)))
  const signal = call.signal === undefined ? late.signal : AbortSignal.any([late.signal, call.signal])
  try {
    return await bodyOf(await openCall(caller, { ...call, signal }))
  } catch (thrown) {
    throw unanswered(call, late.signal.aborted ? late.signal.reason : thrown)
  } finally {
    cancel()
  }
}

/** Undefined when the text is no JSON. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function urlOf(server: URL, { path, query = {} }: Call): URL {
  const url = new URL(server)
  url.pathname = `${server.pathname.replace(/\/$/, '')}${path}`
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url
}

function bodyHeaders({ body, contentType = 'application/json' }: Call): Readonly<Record<string, string>> {
  return body === undefined ? {} : { 'Content-Type': contentType }
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

const isReset = (error: NodeJS.ErrnoException): boolean => error.code === 'ECONNRESET' || error.code === 'EPIPE'
