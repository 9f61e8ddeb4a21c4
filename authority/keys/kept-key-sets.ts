import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import type { BlockedAddresses } from './blocked-addresses.ts'
import type { KeySetState } from './key-set-state.ts'
import type { KeyStore } from './key-store.ts'
import { keptEndpoints, type ProviderEndpoints } from './provider-endpoints.ts'
import { parseObject, usableKeys } from './usable-keys.ts'

// A ConfigMap holds 1 MiB (Kubernetes, "ConfigMaps"), what else is in it included.
const LONGEST_TEXT = 900_000

/** Key sets as a store holds them: an object from names to key sets, sorted. What does not fit is left out, the last. */
export function writeKeySets(states: Iterable<KeySetState>): string {
  const lines: string[] = []
  let length = 0
  for (const { name, jwks, discovered } of [...states].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    // Those in policies are there whenever the policy is.
    if (jwks === undefined || name.startsWith('inline/')) continue
    const line = `${JSON.stringify(name)}:${withEndpoints(jwks, discovered)}`
    if (length + line.length > LONGEST_TEXT) continue
    length += line.length + 2
    lines.push(line)
  }
  return `{${lines.join(',\n')}}`
}

// Beside "keys", where whoever reads key sets alone passes over it (RFC 7517, section 5).
const ENDPOINTS = 'endpoints'

function withEndpoints(jwks: string, discovered: KeySetState['discovered']): string {
  if (discovered === undefined || 'problem' in discovered) return jwks
  return `${jwks.slice(0, -1)},"${ENDPOINTS}":${JSON.stringify(discovered.endpoints)}}`
}

/** What was known of a key set before a restart. */
export interface RememberedKeySet {
  /** Canonical JSON, as in its state. */
  readonly jwks: string
  readonly endpoints?: ProviderEndpoints
}

/**
 * What was kept before a restart, by name; nothing when there is nothing, or nothing that can be read: the providers
 * are asked in any case. Every key and every endpoint is judged again.
 *
 * @throws CountersignError ERR_KUBERNETES_… when the API server cannot be asked: that is worth waiting for
 */
export async function rememberedKeySets(
  store: KeyStore,
  blockedAddresses: BlockedAddresses,
  log: Logger
): Promise<ReadonlyMap<string, RememberedKeySet>> {
  try {
    const text = (await store.load()) ?? '{}'
    return new Map(
      Object.entries(parseObject(text, store.location)).flatMap(([name, value]): [string, RememberedKeySet][] => {
        const { jwks } = usableKeys(JSON.stringify(value), `${store.location}: ${name}`)
        if (jwks === undefined) return []
        const endpoints = keptEndpoints((value as Readonly<Record<string, unknown>>)[ENDPOINTS], blockedAddresses)
        return [[name, endpoints === undefined ? { jwks } : { jwks, endpoints }]]
      })
    )
  } catch (thrown) {
    const error = CountersignError.from(thrown)
    if (error.code.startsWith('ERR_KUBERNETES_')) throw error
    log.child({ room: 'keys' }).warn({ location: store.location, err: error }, 'kept key sets cannot be read: left out')
    return new Map()
  }
}
