import { X509Certificate } from 'node:crypto'
import { type Agent, get, type RequestOptions } from 'node:https'
import { text as textOf } from 'node:stream/consumers'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { readCredentials } from './credentials.ts'

export interface CallTarget {
  readonly url: string
  /** The SPIFFE ID that the server must have. */
  readonly server: string
  /** Where certificate, key and roots are. */
  readonly folder: string
}

/** An answered call: who took part in it, certificates by their serial numbers. */
export interface Answered {
  readonly serverSerial: string
  readonly clientSerial: string
  /** Whom the server verified, as its certificate says. */
  readonly client: string
}

const DEADLINE_MS = 10_000

/**
 * Asks a server that verifies its clients and says whom it saw: `SUCCESS` and the certificate, percent-encoded.
 *
 * @throws Error when there is no such answer, or the server is not who it must be
 */
export async function call(target: CallTarget, agent: Agent): Promise<Answered> {
  const { status, body, serverSerial } = await request(target.url, {
    ...readCredentials(target.folder),
    agent,
    checkServerIdentity: (_host, certificate) => checkAccount(target.server, certificate),
    timeout: DEADLINE_MS
  })
  const [verdict, certificate = ''] = body.split(' ')
  if (status !== 200 || verdict !== 'SUCCESS') throw new Error(`${status} ${body.slice(0, 200)}`)
  const { serialNumber, subjectAltName = '' } = new X509Certificate(decodeURIComponent(certificate))
  return { serverSerial, clientSerial: serialNumber, client: subjectAltName }
}

/** X509-SVID, section 2: exactly one URI says who it is. */
function checkAccount(expected: string, { subjectaltname = '' }: PeerCertificate): Error | undefined {
  const uris = subjectaltname.split(', ').filter(name => name.startsWith('URI:'))
  if (uris.length === 1 && uris[0] === `URI:${expected}`) return undefined
  return new Error(`expected ${expected}, got ${subjectaltname}`)
}

interface Response {
  readonly status: number | undefined
  readonly body: string
  readonly serverSerial: string
}

function request(url: string, options: RequestOptions): Promise<Response> {
  return new Promise((resolve, reject) => {
    const sent = get(url, options, response => {
      const { serialNumber: serverSerial } = (response.socket as TLSSocket).getPeerCertificate()
      textOf(response).then(body => resolve({ status: response.statusCode, body, serverSerial }), reject)
    })
    sent.once('error', (error: NodeJS.ErrnoException) => {
      // Who keeps connections must repeat what was sent as the server closed one: RFC 9112, section 9.3.1.
      const wasClosed = sent.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
      reject(wasClosed ? new ClosedError(error) : error)
    })
    sent.once('timeout', () => sent.destroy(new Error(`no answer within ${DEADLINE_MS / 1_000} s`)))
  })
}

/** A kept connection was closed before there was an answer. */
export class ClosedError extends Error {
  constructor(cause: Error) {
    super('the connection was closed', { cause })
  }
}
