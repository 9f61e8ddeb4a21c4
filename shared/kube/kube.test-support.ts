import { Writable } from 'node:stream'
import { type Clock, systemClock } from '../clock/index.ts'
import { createLogger, type Logger } from '../log/index.ts'
import type { FakeApiServer } from './api-server.test-support.ts'
import { KubeClient } from './index.ts'

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

export function clientOf(server: FakeApiServer, clock: Clock = systemClock): Promise<KubeClient> {
  return KubeClient.open({ kubeconfig: server.kubeconfig, userAgent: 'test', clock })
}

/** A clock whose timers fire at once, in their order: nothing waits, everything else is real. */
export const hastyClock: Clock = {
  now: () => Date.now(),
  after(delayMs, callback) {
    // What guards against silence and slowness must not fire; what waits before a retry must not wait.
    if (delayMs >= 25_000) return () => {}
    const immediate = setImmediate(callback)
    return () => clearImmediate(immediate)
  }
}
