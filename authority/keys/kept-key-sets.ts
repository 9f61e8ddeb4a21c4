import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import type { KeySetState } from './key-set-state.ts'
import type { KeyStore } from './key-store.ts'
import { parseObject, usableKeys } from './usable-keys.ts'

// A ConfigMap holds 1 MiB (Kubernetes, "ConfigMaps"), what else is in it included.
const LONGEST_TEXT = 900_000

/** Key sets as a store holds them: an object from names to key sets, sorted. What does not fit is left out, the last. */
export function writeKeySets(states: Iterable<KeySetState>): string {
  const lines: string[] = []
  let length = 0
  for (const { name, jwks } of [...states].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    // Those in policies are there whenever the policy is.
    if (jwks === undefined || name.startsWith('inline/')) continue
    const line = `${JSON.stringify(name)}:${jwks}`
    if (length + line.length > LONGEST_TEXT) continue
    length += line.length + 2
    lines.push(line)
  }
  return `{${lines.join(',\n')}}`
}

/**
 * What was kept before a restart, by name; nothing when there is nothing, or nothing that can be read: the providers
 * are asked in any case. Every key is judged again.
 *
 * @throws CountersignError ERR_KUBERNETES_… when the API server cannot be asked: that is worth waiting for
 */
export async function rememberedKeySets(store: KeyStore, log: Logger): Promise<ReadonlyMap<string, string>> {
  try {
    const text = (await store.load()) ?? '{}'
    return new Map(
      Object.entries(parseObject(text, store.location)).flatMap(([name, value]): [string, string][] => {
        const { jwks } = usableKeys(JSON.stringify(value), `${store.location}: ${name}`)
        return jwks === undefined ? [] : [[name, jwks]]
      })
    )
  } catch (thrown) {
    const error = CountersignError.from(thrown)
    if (error.code.startsWith('ERR_KUBERNETES_')) throw error
    log.child({ room: 'keys' }).warn({ location: store.location, err: error }, 'kept key sets cannot be read: left out')
    return new Map()
  }
}
