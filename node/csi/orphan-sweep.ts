import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { Logger } from '../../shared/log/index.ts'

export interface OrphanSweepOptions {
  readonly volumes: { removeOrphans(): readonly string[] }
  readonly clock: Clock
  readonly log: Logger
}

const INTERVAL_MS = 60_000

/**
 * Removes records without a folder, at once and then every minute. A pod that is deleted by force while this program
 * is away may lose its folder without an unpublish.
 */
export class OrphanSweep {
  readonly #options: OrphanSweepOptions
  #cancel = (): void => {}

  constructor(options: OrphanSweepOptions) {
    this.#options = options
  }

  start(): void {
    const { volumes, clock, log } = this.#options
    this.#cancel = clock.after(INTERVAL_MS, () => this.start())
    try {
      for (const volume of volumes.removeOrphans())
        log.info({ volume }, 'record removed: the folder of its volume is gone')
    } catch (thrown) {
      log.error({ err: CountersignError.from(thrown, 'ERR_VOLUME_UNAVAILABLE') }, 'records were not looked through')
    }
  }

  close(): void {
    this.#cancel()
  }
}
