import { type ClientHttp2Session, connect } from 'node:http2'
import type { Seen } from '../applications.ts'
import type { TokenPod } from './token-pod.ts'

/** What came back; `status` is 0 where the stream was reset. */
export interface Http2Answer {
  readonly status: number
  readonly challenge: string | undefined
  readonly body: string
  /** What the application saw; undefined when it was never asked. */
  readonly seen: Seen | undefined
}

/** Headers as they go over the wire: each character is one byte. */
export type Http2Headers = Readonly<Record<string, string | string[]>>

/** One HTTP/2 connection to a pod, opened again where it was closed. Closed by its owner. */
export class Http2Client {
  readonly #origin: string
  #session: ClientHttp2Session | undefined

  constructor(pod: Pick<TokenPod, 'address' | 'port'>) {
    this.#origin = `http://${pod.address}:${pod.port('http2')}`
  }

  /** One request without a body. */
  ask(headers: Http2Headers): Promise<Http2Answer> {
    return new Promise((resolve, reject) => {
      const stream = this.#open(reject).request({ ':authority': 'orders.shop', ...headers })
      let [status, challenge, body] = [0, undefined as string | undefined, '']
      stream.setEncoding('utf8')
      stream.on('response', head => {
        status = Number(head[':status'])
        challenge = head['www-authenticate']
      })
      stream.on('data', part => {
        body += part
      })
      // A reset is an answer as well: the status stays 0.
      stream.on('error', () => {})
      stream.on('close', () => {
        const json = status === 200 && body.startsWith('{"protocol"')
        resolve({ status, challenge, body, seen: json ? JSON.parse(body) : undefined })
      })
    })
  }

  close(): void {
    this.#session?.destroy()
  }

  #open(reject: (error: Error) => void): ClientHttp2Session {
    if (this.#session === undefined || this.#session.closed || this.#session.destroyed)
      this.#session = connect(this.#origin).on('error', reject)
    return this.#session
  }
}
