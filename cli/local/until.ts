import { setTimeout as pause } from 'node:timers/promises'

/**
 * Polls until `attempt` returns something other than undefined and does not throw.
 *
 * @throws Error that says what was waited for, how long, and the last failure
 */
export async function until<T>(
  what: string,
  attempt: () => Promise<T | undefined> | T | undefined,
  options: { timeoutMs?: number; intervalMs?: number } = {}
): Promise<T> {
  const { timeoutMs = 30_000, intervalMs = 25 } = options
  const deadline = Date.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      const result = await attempt()
      if (result !== undefined) return result
      last = undefined
    } catch (thrown) {
      last = thrown
    }
    if (Date.now() >= deadline)
      throw new Error(`${what} did not happen within ${timeoutMs / 1000} s`, last === undefined ? {} : { cause: last })
    await pause(intervalMs)
  }
}
