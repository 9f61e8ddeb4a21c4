import { type Agent, type IncomingHttpHeaders, request } from 'node:http'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Call {
  /** For example `http://orders.shop/`. */
  readonly url: string
  /** `host:port` of an HTTP proxy that is asked for it; absent: straight to the address in the URL. */
  readonly through?: string
  readonly agent?: Agent
  readonly headers?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
}

/**
 * One GET, as an application would make it. Through a proxy the request line holds the whole URL (RFC 9112, section
 * 3.2.2).
 *
 * @throws Error with the socket's own code when no answer came
 */
export function call({ url, through, agent, headers = {}, timeoutMs = 10_000 }: Call): Promise<Answer> {
  const target = new URL(url)
  const [host, port] = through === undefined ? [target.hostname, target.port || '80'] : splitAddress(through)
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host,
        port,
        path: through === undefined ? target.pathname + target.search : url,
        headers: { host: target.host, ...headers },
        timeout: timeoutMs,
        ...(agent === undefined ? {} : { agent })
      },
      incoming => {
        const chunks: Buffer[] = []
        incoming.on('data', chunk => chunks.push(chunk))
        incoming.on('error', reject)
        incoming.on('end', () =>
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            body: Buffer.concat(chunks).toString()
          })
        )
      }
    )
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)))
    outgoing.on('error', reject)
    outgoing.end()
  })
}

function splitAddress(address: string): [string, string] {
  const colon = address.lastIndexOf(':')
  return [address.slice(0, colon), address.slice(colon + 1)]
}
