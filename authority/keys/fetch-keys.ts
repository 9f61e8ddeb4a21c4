import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { BlockedAddresses } from './blocked-addresses.ts'
import type { FetchDocument } from './fetch-document.ts'
import { unavailable } from './fetch-error.ts'
import { freshForMs } from './freshness.ts'
import type { KeyPlace } from './key-source.ts'
import { discoveryUrl, keyUrl, nextUrl, showUrl } from './key-url.ts'
import { type DiscoveredEndpoints, discoveredEndpoints } from './provider-endpoints.ts'
import { parseObject, type UsableKeys, usableKeys } from './usable-keys.ts'

/** What a provider answered. */
export interface FetchedKeys extends UsableKeys {
  /** How long it is to be believed, in milliseconds. */
  readonly freshMs: number
  /** Where it was found. */
  readonly url: string
  /** What else the issuer's discovery says; absent where it was not asked. */
  readonly discovered?: DiscoveredEndpoints
}

export interface FetchKeysOptions {
  readonly fetch: FetchDocument
  readonly blockedAddresses: Pick<BlockedAddresses, 'isNamedBy'>
  readonly clock: Clock
  /** For discovery and keys together, to the last byte, in milliseconds. */
  readonly timeoutMs: number
  /** Ends it. */
  readonly signal: AbortSignal
}

/**
 * Fetches the keys of a place that is not inline.
 *
 * @throws CountersignError ERR_KEYS_UNAVAILABLE, ERR_KEYS_INVALID or ERR_KEYS_BLOCKED; the signal's reason when aborted
 */
export async function fetchKeys(
  place: KeyPlace,
  { fetch, blockedAddresses, clock, timeoutMs, signal }: FetchKeysOptions
): Promise<FetchedKeys> {
  const late = new AbortController()
  const cancel = clock.after(timeoutMs, () => late.abort(unavailable(`no whole answer within ${timeoutMs} ms`)))
  const either = AbortSignal.any([signal, late.signal])
  try {
    const discovery = place.kind === 'uri' ? undefined : await discover(place.text, fetch, either)
    const start = discovery?.keys ?? keyUrl(place.text, 'jwksUri')
    const { text, url, cache } = await fetch(start, either)
    const source = showUrl(url)
    const keys = { ...usableKeys(text, source), freshMs: freshForMs(cache, clock.now()), url: source }
    if (discovery === undefined) return keys
    return { ...keys, discovered: discoveredEndpoints(discovery.document, discovery.url, blockedAddresses) }
  } finally {
    cancel()
  }
}

/** OpenID Connect Discovery 1.0, sections 4.2 and 4.3. */
async function discover(issuer: string, fetch: FetchDocument, signal: AbortSignal) {
  const { text, url } = await fetch(discoveryUrl(issuer), signal)
  const document = parseObject(text, showUrl(url))
  // Section 4.3: exactly; else the provider of one tenant could pass for that of another.
  if (document['issuer'] !== issuer)
    throw new CountersignError('ERR_KEYS_INVALID', `${showUrl(url)}: issuer: expected exactly the issuer of the policy`)
  return { document, url, keys: nextUrl(url, document['jwks_uri'], 'jwks_uri') }
}
