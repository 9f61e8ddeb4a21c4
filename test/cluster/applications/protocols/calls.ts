import { setTimeout as pause } from 'node:timers/promises'
import { handshakes } from './handshakes.ts'
import type { KindName } from './kind.ts'
import { KINDS } from './kinds.ts'

/** A call to make, once. */
export interface Call {
  /** Told to the server, and so found in its log. */
  readonly id: string
  readonly kind: KindName
  readonly address: string
  /** Where it is not the one of its kind. */
  readonly port?: number
  /** Where the proxies of the servers that may answer tell their statistics, if there are any. */
  readonly statistics?: readonly string[]
}

/** How it went. */
export interface CallResult {
  readonly id: string
  readonly failure?: string
  /** How many TLS handshakes the proxies of the servers finished meanwhile. */
  readonly handshakes?: number
}

const LIMIT_MS = 12_000

/** One after the other, so that what the statistics say is of one call. */
export async function makeCalls(calls: readonly Call[]): Promise<CallResult[]> {
  const results: CallResult[] = []
  for (const call of calls) results.push(await makeCall(call))
  return results
}

async function makeCall({ id, kind, address, port, statistics }: Call): Promise<CallResult> {
  const { call, port: usual } = KINDS[kind]
  const before = statistics === undefined ? 0 : await allHandshakes(statistics)
  const outcome = await Promise.race([
    call(address, port ?? usual, id).then(() => undefined, failureOf),
    pause(LIMIT_MS, `no answer within ${LIMIT_MS / 1_000} s`, { ref: false })
  ])
  const meanwhile = statistics === undefined ? {} : { handshakes: (await allHandshakes(statistics)) - before }
  return { id, ...(outcome === undefined ? {} : { failure: outcome }), ...meanwhile }
}

async function allHandshakes(urls: readonly string[]): Promise<number> {
  const counts = await Promise.all(urls.map(handshakes))
  return counts.reduce((sum, count) => sum + count, 0)
}

/** What went wrong, in a few words. */
export function failureOf(thrown: unknown): string {
  const { message, code } = thrown as NodeJS.ErrnoException
  return [code, message].filter(Boolean).join(' ')
}
