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
  /** Where the proxy of the server tells its statistics, if there is one. */
  readonly statistics?: string
}

/** How it went. */
export interface CallResult {
  readonly id: string
  readonly failure?: string
  /** How many TLS handshakes the proxy of the server finished meanwhile. */
  readonly handshakes?: number
}

const LIMIT_MS = 12_000

/** One after the other, so that what the statistics say is of one call. */
export async function makeCalls(calls: readonly Call[]): Promise<CallResult[]> {
  const results: CallResult[] = []
  for (const call of calls) results.push(await makeCall(call))
  return results
}

async function makeCall({ id, kind, address, statistics }: Call): Promise<CallResult> {
  const { call, port } = KINDS[kind]
  const before = statistics === undefined ? 0 : await handshakes(statistics)
  const outcome = await Promise.race([
    call(address, port, id).then(() => undefined, failureOf),
    pause(LIMIT_MS, `no answer within ${LIMIT_MS / 1_000} s`, { ref: false })
  ])
  const meanwhile = statistics === undefined ? {} : { handshakes: (await handshakes(statistics)) - before }
  return { id, ...(outcome === undefined ? {} : { failure: outcome }), ...meanwhile }
}

/** What went wrong, in a few words. */
export function failureOf(thrown: unknown): string {
  const { message, code } = thrown as NodeJS.ErrnoException
  return [code, message].filter(Boolean).join(' ')
}
