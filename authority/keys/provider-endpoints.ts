import { CountersignError } from '../../shared/errors/index.ts'
import type { BlockedAddresses } from './blocked-addresses.ts'
import { keyUrl, nextUrl, showUrl } from './key-url.ts'
import { parseObject } from './usable-keys.ts'

/** Where an issuer has people sign in and out; URLs. */
export interface ProviderEndpoints {
  /** Browsers are sent there. */
  readonly authorization: string
  /** Proxies ask it. */
  readonly token: string
  readonly endSession?: string
}

/** What a discovery document says of them: where they are, or, for people, why nobody can be sent there. */
export type DiscoveredEndpoints = { readonly endpoints: ProviderEndpoints } | { readonly problem: string }

const LONGEST_URL = 2_048

type Blocked = Pick<BlockedAddresses, 'isNamedBy'>

/**
 * The endpoints of a discovery document, each judged as a URL of keys is: never in the clear where the document was
 * not, without credentials. The token endpoint may not name an address that is blocked; what its name resolves to is
 * seen by the proxies alone, and is up to the network of their pods. Browsers go where their own network lets them.
 * A document may be without: then there are keys, and no login. Never throws.
 *
 * Source: OpenID Connect Discovery 1.0, section 3; OpenID Connect RP-Initiated Logout 1.0, section 2.1.
 *
 * @param from where the document was found
 */
export function discoveredEndpoints(
  document: Readonly<Record<string, unknown>>,
  from: URL,
  blocked: Blocked
): DiscoveredEndpoints {
  const read = (field: string): URL => bounded(nextUrl(from, document[field], field), `${showUrl(from)}: ${field}`)
  try {
    const token = read('token_endpoint')
    if (blocked.isNamedBy(token))
      return { problem: `${showUrl(from)}: token_endpoint: its address is one that nothing is asked of` }
    const authorization = read('authorization_endpoint').href
    return { endpoints: { authorization, token: token.href, ...optional(() => read('end_session_endpoint')) } }
  } catch (thrown) {
    return { problem: CountersignError.from(thrown).message }
  }
}

/** Endpoints as a store holds them, judged again; undefined when they are none. */
export function keptEndpoints(value: unknown, blocked: Blocked): ProviderEndpoints | undefined {
  const read = (url: unknown): URL => bounded(keyUrl(typeof url === 'string' ? url : '', 'endpoint'), 'endpoint')
  try {
    const fields = parseObject(JSON.stringify(value) ?? '', 'endpoints')
    const token = read(fields['token'])
    if (blocked.isNamedBy(token)) return undefined
    const authorization = read(fields['authorization']).href
    return { authorization, token: token.href, ...optional(() => read(fields['endSession'])) }
  } catch {
    return undefined
  }
}

/** Without it people are signed out here alone, which is still of use. */
function optional(read: () => URL): { readonly endSession?: string } {
  try {
    return { endSession: read().href }
  } catch {
    return {}
  }
}

function bounded(url: URL, field: string): URL {
  if (url.href.length <= LONGEST_URL) return url
  throw new CountersignError('ERR_KEYS_INVALID', `${field}: expected at most ${LONGEST_URL} characters`)
}
