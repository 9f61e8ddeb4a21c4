import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { createLogger, type Logger } from '../shared/log/index.ts'

/** Waits for a condition that another part of the process brings about; fails after 20 s. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `waited too long for ${what}`)
    await new Promise(resolve => setImmediate(resolve))
  }
}

/** A real logger, and what it wrote. */
export function recordingLogger(): { readonly log: Logger; readonly lines: readonly Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = []
  const destination = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)))
      done()
    }
  })
  return { log: createLogger('test', 'debug', destination), lines }
}
