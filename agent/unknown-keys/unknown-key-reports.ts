import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'

export interface UnknownKeyReportsOptions {
  /** Rejects when the authority did not take it. */
  readonly report: (podUid: string) => Promise<void>
  readonly clock: Clock
  readonly log: Logger
}

/** Between two reports of one pod: whoever sends made-up key IDs costs the authority two calls a second. */
const SPACING_MS = 500

/** Passes on what proxies see: at once, but for each pod one at a time and with a pause; a report stands for many. */
export class UnknownKeyReports {
  readonly #options: UnknownKeyReportsOptions
  readonly #log: Logger
  readonly #busy = new Map<string, { again: boolean }>()
  readonly #pauses = new Set<() => void>()
  #closed = false

  constructor(options: UnknownKeyReportsOptions) {
    this.#options = options
    this.#log = options.log.child({ room: 'unknown-keys' })
  }

  /** The proxy of this pod refused a token that no key fits. */
  seen(podUid: string): void {
    if (this.#closed) return
    const busy = this.#busy.get(podUid)
    if (busy !== undefined) busy.again = true
    else void this.#report(podUid)
  }

  close(): void {
    this.#closed = true
    for (const cancel of this.#pauses) cancel()
    this.#pauses.clear()
    this.#busy.clear()
  }

  async #report(podUid: string): Promise<void> {
    const state = { again: false }
    this.#busy.set(podUid, state)
    try {
      await this.#options.report(podUid)
    } catch (thrown) {
      // Nothing is lost but time: the authority looks for new keys by itself as well.
      this.#log.info({ err: CountersignError.from(thrown), podUid }, 'an unknown key was not reported')
    }
    if (this.#closed) return
    const cancel = this.#options.clock.after(SPACING_MS, () => {
      this.#pauses.delete(cancel)
      this.#busy.delete(podUid)
      if (state.again) void this.#report(podUid)
    })
    this.#pauses.add(cancel)
  }
}
