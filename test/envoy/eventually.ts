import { setTimeout as pause } from 'node:timers/promises'

const PAUSE_MS = 20

/** Asks again until there is an answer without an exception; gives up with the last one after `deadlineMs`. */
export async function eventually<T>(ask: () => T | Promise<T>, deadlineMs = 20_000): Promise<T> {
  const end = Date.now() + deadlineMs
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (Date.now() > end) throw error
    }
    await pause(PAUSE_MS)
  }
}
