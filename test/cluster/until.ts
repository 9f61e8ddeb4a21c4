import { setTimeout as wait } from 'node:timers/promises'

const PAUSE_MS = 50

/**
 * Asks until the answer is there.
 *
 * @param ask `undefined` means not yet; what it throws ends the waiting
 * @param late makes what is thrown after `deadlineMs`
 */
export async function until<T>(
  ask: () => Promise<T | undefined> | T | undefined,
  deadlineMs: number,
  late: () => Error
): Promise<T> {
  const deadline = performance.now() + deadlineMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (performance.now() > deadline) throw late()
    await wait(PAUSE_MS)
  }
}
