import { type Clock, type Random, sleep } from '../clock/index.ts'
import { CountersignError } from '../errors/index.ts'
import type { Logger } from '../log/index.ts'

export interface RetryOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Ends the trying. */
  readonly signal?: AbortSignal
}

const FIRST_MS = 200
const LONGEST_MS = 5_000
const LONGEST_ASKED_FOR_MS = 60_000

/**
 * How long to wait after so many failures in a row (the first is 0), in milliseconds: doubling from 0.2 s to 5 s,
 * drawn between half of that and all of it, so that a restarted API server is not met by everybody at once. What the
 * server itself asks for (RFC 9110, section 10.2.3, Retry-After) is kept, up to a minute.
 */
export function retryDelayMs(failures: number, random: Random, thrown?: unknown): number {
  const own = Math.min(LONGEST_MS, FIRST_MS * 2 ** failures) * (0.5 + random() / 2)
  const asked = thrown instanceof CountersignError ? thrown.facts['retryAfterSeconds'] : undefined
  const askedMs = typeof asked === 'number' ? Math.min(asked * 1_000, LONGEST_ASKED_FOR_MS) : 0
  return Math.round(Math.max(own, askedMs))
}

/**
 * Tries until the API server does it. Also when it refuses: permissions reach it a little after they are made, and a
 * program that ends for it is only started again. Any other error passes through.
 *
 * @throws the signal's reason when that is aborted
 */
export async function retryKubernetes<T>(what: string, attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { clock, random, log, signal } = options
  let told: string | undefined
  for (let failures = 0; ; failures++)
    try {
      return await attempt()
    } catch (thrown) {
      if (!isKubernetes(thrown)) throw thrown
      signal?.throwIfAborted()
      if (thrown.message !== told) log.warn({ what, err: thrown }, 'the Kubernetes API does not do it, trying again')
      told = thrown.message
      await sleep(clock, retryDelayMs(failures, random, thrown), signal)
    }
}

function isKubernetes(thrown: unknown): thrown is CountersignError {
  return thrown instanceof CountersignError && thrown.code.startsWith('ERR_KUBERNETES_')
}
