import { Writable } from 'node:stream'
import { createLogger, type Logger } from '../shared/log/index.ts'

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
