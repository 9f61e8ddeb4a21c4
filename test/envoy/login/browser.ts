import type { IncomingHttpHeaders } from 'node:http'
import { request } from 'node:http'
import type { Seen } from '../applications.ts'

/** A page, or whatever else it was. */
export interface Visit {
  readonly url: string
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** What the application saw; undefined when it was never asked. */
  readonly seen: Seen | undefined
}

interface Wish {
  readonly form?: Readonly<Record<string, string>>
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
}

const NAVIGATION = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8', 'sec-fetch-mode': 'navigate' }
const SCRIPT = { accept: '*/*', 'sec-fetch-mode': 'cors' }
const MOST_REDIRECTS = 10

/** Keeps cookies as a browser does, and complains of those that it would not keep, for each host, and shows its requests as a browser's. */
export class Browser {
  /** By name, for each host. */
  readonly #cookies = new Map<string, Map<string, string>>()
  /** Where the hosts are that no DNS knows. */
  readonly hosts: Map<string, { readonly address: string; readonly port: number }>

  constructor(hosts: Readonly<Record<string, { readonly address: string; readonly port: number }>>) {
    this.hosts = new Map(Object.entries(hosts))
  }

  cookies(host: string): Map<string, string> {
    const jar = this.#cookies.get(host) ?? new Map<string, string>()
    this.#cookies.set(host, jar)
    return jar
  }

  /** One request; a redirect is not followed. */
  navigate(url: string, { headers = {}, ...wish }: Wish = {}): Promise<Visit> {
    return this.#ask(url, { ...wish, headers: { ...NAVIGATION, ...headers } })
  }

  /** As a script on a page asks. */
  fetch(url: string, { headers = {}, ...wish }: Wish = {}): Promise<Visit> {
    return this.#ask(url, { ...wish, headers: { ...SCRIPT, ...headers } })
  }

  /** What a person sees in the end. */
  async open(url: string, wish: Wish = {}): Promise<Visit> {
    let visit = await this.navigate(url, wish)
    for (let count = 0; visit.status >= 301 && visit.status <= 303; count++) {
      if (count === MOST_REDIRECTS) throw new Error(`${url} redirects for ever, at last to ${visit.headers.location}`)
      visit = await this.navigate(locationOf(visit))
    }
    return visit
  }

  #ask(text: string, { form, method = form === undefined ? 'GET' : 'POST', headers = {} }: Wish): Promise<Visit> {
    const url = new URL(text)
    const jar = this.cookies(url.host)
    const place = this.hosts.get(url.host) ?? { address: url.hostname, port: Number(url.port || 80) }
    const body = form === undefined ? undefined : String(new URLSearchParams(form))
    const all = {
      host: url.host,
      ...(jar.size === 0 ? {} : { cookie: [...jar].map(pair => pair.join('=')).join('; ') }),
      ...(body === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      ...headers
    }
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: place.address,
          port: place.port,
          path: `${url.pathname}${url.search}`,
          method,
          headers: all,
          agent: false,
          timeout: 20_000
        },
        response => {
          const parts: Buffer[] = []
          response.on('data', part => parts.push(part))
          response.on('error', reject)
          response.on('end', () => {
            keep(jar, response.headers['set-cookie'] ?? [])
            resolve(visitOf(text, response.statusCode ?? 0, response.headers, Buffer.concat(parts).toString()))
          })
        }
      )
      asked.on('error', reject)
      asked.on('timeout', () => asked.destroy(new Error(`no answer from ${text}`)))
      asked.end(body)
    })
  }
}

/** Where a redirect leads. */
export const locationOf = ({ url, status, headers }: Visit): string => {
  if (headers.location === undefined) throw new Error(`${url} answers ${status} and leads nowhere`)
  return String(new URL(headers.location, url))
}

function keep(jar: Map<string, string>, lines: readonly string[]): void {
  for (const line of lines) {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    // RFC 6265bis, section 5.7: browsers ignore such a line, also where it would delete a cookie.
    if (/^__host-/i.test(name) && !(/; *secure(?:;|$)/i.test(line) && /; *path=\/(?:;|$)/i.test(line)))
      throw new Error(`a browser does not keep ${line}`)
    if (/; *domain=/i.test(line)) throw new Error(`sent to other hosts as well: ${line}`)
    if (/; *(?:expires=Thu, 01 Jan 1970|max-age=0)/i.test(line)) jar.delete(name)
    else jar.set(name, value)
  }
}

function visitOf(url: string, status: number, headers: IncomingHttpHeaders, body: string): Visit {
  const isSeen = status === 200 && body.startsWith('{"protocol"')
  return { url, status, headers, body, seen: isSeen ? JSON.parse(body) : undefined }
}
