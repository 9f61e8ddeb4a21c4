import { lookup as dnsLookup, type LookupAddress } from 'node:dns'
import { type IncomingMessage, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import { getCACertificates } from 'node:tls'
import { CountersignError } from '../../shared/errors/index.ts'
import type { BlockedAddresses } from './blocked-addresses.ts'
import { blocked, unavailable, unreachable } from './fetch-error.ts'
import type { CacheHeaders } from './freshness.ts'
import { nextUrl, showUrl } from './key-url.ts'

/** A document that was fetched. */
export interface FetchedDocument {
  /** Where it was found in the end. */
  readonly url: URL
  readonly text: string
  readonly cache: CacheHeaders
}

/**
 * Fetches a document by HTTP.
 *
 * @throws CountersignError ERR_KEYS_UNAVAILABLE, ERR_KEYS_INVALID or ERR_KEYS_BLOCKED; the signal's reason when aborted
 */
export type FetchDocument = (url: URL, signal: AbortSignal) => Promise<FetchedDocument>

export interface FetchOptions {
  readonly blockedAddresses: BlockedAddresses
  /** Further roots for TLS, PEM, beside those that Node.js trusts; asked before each request. */
  readonly ca?: () => string | undefined
  /** Resolves names. Default: as the system does. */
  readonly lookup?: (name: string, options: { all: true }, callback: LookupCallback) => void
}

export type LookupCallback = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void

const MOST_REDIRECTS = 3
const LARGEST_BODY_BYTES = 1 << 20
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/**
 * Fetches from wherever a policy says, and not from where nothing should be asked. The address that a connection is
 * made to is the one that was judged: a name that resolves differently a moment later changes nothing. A few redirects
 * are followed, because providers move; each is judged as the first URL was. Nothing is kept between requests.
 */
export function documentFetcher(options: FetchOptions): FetchDocument {
  return async (start, signal) => {
    let url = start
    for (let redirects = 0; ; redirects++) {
      signal.throwIfAborted()
      try {
        const response = await send(url, signal, options)
        const { statusCode: status = 0, headers } = response
        if (!REDIRECTS.has(status)) return { url, text: await textOf(response, url), cache: cacheHeaders(response) }
        response.destroy()
        if (redirects === MOST_REDIRECTS) throw unavailable(`${showUrl(start)}: more than ${MOST_REDIRECTS} redirects`)
        url = nextUrl(url, headers.location, 'the redirect')
      } catch (thrown) {
        signal.throwIfAborted()
        throw thrown instanceof CountersignError ? thrown : unreachable(showUrl(url), thrown)
      }
    }
  }
}

function send(url: URL, signal: AbortSignal, options: FetchOptions): Promise<IncomingMessage> {
  const { blockedAddresses, ca, lookup = dnsLookup } = options
  // A literal address is never looked up.
  if (blockedAddresses.isNamedBy(url)) throw blocked(showUrl(url))
  const judgedLookup: LookupFunction = (name, { all }, callback) => {
    lookup(name, { all: true }, (error, addresses) => {
      const [first] = addresses ?? []
      if (error !== null || first === undefined) return callback(error ?? notFound(name), [])
      // One is enough: whoever names such an address beside others hopes that it will be taken some time.
      if (addresses.some(({ address }) => blockedAddresses.has(address))) return callback(blocked(showUrl(url)), [])
      return all ? callback(null, addresses) : callback(null, first.address, first.family)
    })
  }
  return new Promise((resolve, reject) => {
    const headers = {
      Accept: 'application/json, application/jwk-set+json',
      'Accept-Encoding': 'identity',
      'User-Agent': 'countersign-authority'
    }
    const common = { headers, lookup: judgedLookup, agent: false, signal } as const
    const outgoing =
      url.protocol === 'https:'
        ? requestHttps(url, { ...common, ...trust(ca?.()) }, resolve)
        : requestHttp(url, common, resolve)
    outgoing.on('error', reject)
    outgoing.end()
  })
}

/** Always verified, whatever the environment of the process says. */
function trust(extra: string | undefined): object {
  const always = { rejectUnauthorized: true, minVersion: 'TLSv1.2' }
  return extra === undefined ? always : { ...always, ca: [...getCACertificates('default'), extra] }
}

async function textOf(response: IncomingMessage, url: URL): Promise<string> {
  const { statusCode: status = 0, headers } = response
  const refuse = (error: CountersignError): never => {
    response.destroy()
    throw error
  }
  response.on('error', () => {})
  if (status !== 200) refuse(unavailable(`${showUrl(url)}: expected status 200, got ${status}`, headers['retry-after']))
  if ((headers['content-encoding'] ?? 'identity') !== 'identity') refuse(invalid(url, 'expected no content encoding'))
  const tooLarge = invalid(url, `expected at most ${LARGEST_BODY_BYTES} bytes`)
  if (Number(headers['content-length'] ?? 0) > LARGEST_BODY_BYTES) refuse(tooLarge)
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > LARGEST_BODY_BYTES) refuse(tooLarge)
    chunks.push(chunk)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
  } catch {
    throw invalid(url, 'expected UTF-8')
  }
}

const invalid = (url: URL, expected: string): CountersignError =>
  new CountersignError('ERR_KEYS_INVALID', `${showUrl(url)}: ${expected}`)

const notFound = (name: string): NodeJS.ErrnoException =>
  Object.assign(new Error(`no address of ${name}`), { code: 'ENOTFOUND' })

function cacheHeaders({ headers }: IncomingMessage): CacheHeaders {
  return { cacheControl: headers['cache-control'], expires: headers.expires, date: headers.date, age: headers.age }
}
