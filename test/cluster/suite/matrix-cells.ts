import { DELIVERY_SOURCE } from '../../../shared/bootstrap/index.ts'
import type { Answer } from '../applications/protocols/answer.ts'
import type { CallResult } from '../applications/protocols/calls.ts'
import type { KindName } from '../applications/protocols/kind.ts'
import { KIND_NAMES } from '../applications/protocols/kinds.ts'

export const ENDS = ['injected', 'plain'] as const
/** With a proxy, or without. */
export type End = (typeof ENDS)[number]

const ADDRESSES = ['Service', 'headless', 'pod IP'] as const
/** What the client calls the server by. */
export type Address = (typeof ADDRESSES)[number]

export const MODES = ['PERMISSIVE', 'STRICT', 'DISABLE', 'by port'] as const
/** What the policy of the server says. */
export type PolicyMode = (typeof MODES)[number]

/** Under `by port`, the workload is STRICT, and these are DISABLE: one port of HTTP and one of bytes. */
export const DISABLED_BY_PORT: readonly KindName[] = ['http', 'tcp-greeting']

export interface Row {
  readonly mode: PolicyMode
  readonly client: End
  readonly server: End
}

export interface Cell extends Row {
  readonly kind: KindName
  readonly address: Address
}

export const rowsOf = (mode: PolicyMode): readonly Row[] =>
  ENDS.flatMap(client => ENDS.map(server => ({ mode, client, server })))

export const cellsOf = (row: Row): readonly Cell[] =>
  KIND_NAMES.flatMap(kind => ADDRESSES.map(address => ({ ...row, kind, address })))

export type Outcome = 'mutual TLS' | 'plaintext' | 'refused'

/** The rules. What the server is called by is not in them. */
export function expectedOf({ mode, client, server, kind }: Cell): Outcome {
  // Nobody is there who could speak mutual TLS, and nobody who could refuse.
  if (server === 'plain') return 'plaintext'
  const onPort = mode === 'by port' ? (DISABLED_BY_PORT.includes(kind) ? 'DISABLE' : 'STRICT') : mode
  // Not even offered, and so not used by those who could.
  if (onPort === 'DISABLE') return 'plaintext'
  // Two proxies never speak in the clear where they need not.
  if (client === 'injected') return 'mutual TLS'
  return onPort === 'STRICT' ? 'refused' : 'plaintext'
}

const BYTES: readonly KindName[] = ['tcp', 'tcp-greeting']
// gRPC is called in three ways.
const HEARD_OFTEN: Partial<Record<KindName, number>> = { grpc: 3 }

// From where a proxy delivers.
const BY_PROXY: readonly string[] = [DELIVERY_SOURCE.ipv4, `::ffff:${DELIVERY_SOURCE.ipv4}`, DELIVERY_SOURCE.ipv6]

/**
 * What became of a call, by what the server's side says: its application, and for bytes, which have no header, its
 * proxy.
 *
 * @param heard what the application heard of this call
 * @param identity what the server is to be told of an identified client
 * @returns one of the outcomes, or what was seen instead of any
 */
export function outcomeOf(
  { server, kind }: Pick<Cell, 'server' | 'kind'>,
  { failure, handshakes = 0 }: CallResult,
  heard: readonly Answer[],
  identity: RegExp
): string {
  if (heard.length === 0) {
    if (failure === undefined) return 'answered by another server'
    return failure.startsWith('no answer') ? failure : 'refused'
  }
  if (failure !== undefined) return `heard, and failed: ${failure}`
  if (heard.length !== (HEARD_OFTEN[kind] ?? 1)) return `heard ${heard.length} times`
  if (server === 'injected' && !heard.every(({ source }) => BY_PROXY.includes(source))) return 'past the proxy'
  if (BYTES.includes(kind)) return handshakes === 0 ? 'plaintext' : 'mutual TLS'
  const certificates = [...new Set(heard.map(({ clientCertificate }) => clientCertificate))]
  const [certificate = null] = certificates
  if (certificates.length > 1) return `several identities: ${certificates.join(', ')}`
  if (certificate === null) return 'plaintext'
  return identity.test(certificate) ? 'mutual TLS' : `another identity: ${certificate}`
}
