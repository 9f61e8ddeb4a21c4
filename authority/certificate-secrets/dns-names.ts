import { DNS_NAME } from '../../shared/names/index.ts'
import type { RunService } from './types.ts'

/** Of names in one certificate; all together, they have to fit into a certificate of 16 KiB. */
export const MOST_DNS_NAMES = 100
const MOST_BYTES = 12_288
/** What stands before each name: tag and length. */
const BYTES_AROUND = 3

export interface DnsNames {
  /** Sorted. */
  readonly names: readonly string[]
  /** How many found no room. */
  readonly left: number
}

/**
 * The names of the Services that an account runs. Of a Service that nobody runs at the moment, those that are
 * `present` stay: pods that are all gone come back, and nobody else could want the name meanwhile. So `present` must
 * be what the authority itself has signed for this account.
 *
 * Source: Kubernetes, "DNS for Services and Pods".
 */
export function dnsNames(
  services: readonly RunService[],
  account: { readonly namespace: string; readonly name: string },
  present: readonly string[],
  clusterDomain: string
): DnsNames {
  const key = `${account.namespace}/${account.name}`
  const held = new Set(present)
  const all = new Set<string>()
  for (const service of services) {
    const isIdle = service.accounts.length === 0
    if (isIdle ? held.size === 0 : !service.accounts.includes(key)) continue
    for (const name of namesOf(service, clusterDomain)) if (!isIdle || held.has(name)) all.add(name)
  }
  const sorted = [...all].sort()
  const names = sorted.slice(0, fitting(sorted))
  return { names, left: sorted.length - names.length }
}

/** How many of the first names fit. */
function fitting(names: readonly string[]): number {
  let bytes = 0
  const end = names.findIndex((name, index) => {
    bytes += name.length + BYTES_AROUND
    return index === MOST_DNS_NAMES || bytes > MOST_BYTES
  })
  return end === -1 ? names.length : end
}

function namesOf({ namespace, name, headless }: RunService, clusterDomain: string): readonly string[] {
  const names = [`${name}.${namespace}`, `${name}.${namespace}.svc`, `${name}.${namespace}.svc.${clusterDomain}`]
    .map(one => one.toLowerCase())
    .filter(one => DNS_NAME.test(one))
  if (!headless) return names
  // Each pod behind a headless Service may have a name of its own there.
  const wildcards = names.filter(one => !isOfNamespace(one)).map(one => `*.${one}`)
  return [...names, ...wildcards.filter(one => one.length <= LONGEST_NAME)]
}

/** In a namespace called svc, `<name>.svc` is what the names of all Services of the namespace `<name>` end with. */
const isOfNamespace = (name: string): boolean => /^[^.]+\.svc$/.test(name)
const LONGEST_NAME = 253
