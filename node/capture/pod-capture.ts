import type { Exclusions } from '../../shared/exclusions/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { openPodNetwork } from './pod-network.ts'
import type { PodProcesses } from './pod-processes.ts'
import type { Redirector } from './redirector.ts'

export interface PodCaptureOptions {
  readonly processes: PodProcesses
  readonly redirector: Redirector
  readonly log: Logger
  /** Where procfs is mounted, with the processes of the node in it; `/proc` unless given. */
  readonly proc?: string
}

/** Captures the traffic of pods, for each pod one call at a time. */
export class PodCapture {
  readonly #options: PodCaptureOptions
  readonly #last = new Map<string, Promise<void>>()

  constructor(options: PodCaptureOptions) {
    this.#options = options
  }

  /**
   * Resolves when the rules of a pod are in place. To be called whenever its proxy connects: a sandbox that was made
   * anew has a new network namespace, without rules.
   *
   * @throws CountersignError ERR_POD_NOT_FOUND, ERR_CAPTURE_REFUSED, ERR_CAPTURE_FAILED
   */
  apply(podUid: string, exclusions: Exclusions): Promise<void> {
    const previous = this.#last.get(podUid) ?? Promise.resolve()
    const work = previous.catch(() => {}).then(() => this.#apply(podUid, exclusions))
    this.#last.set(podUid, work)
    return work.finally(() => {
      if (this.#last.get(podUid) === work) this.#last.delete(podUid)
    })
  }

  async #apply(podUid: string, exclusions: Exclusions): Promise<void> {
    const { processes, redirector, log, proc } = this.#options
    const network = await openPodNetwork(podUid, processes, proc)
    try {
      await redirector.apply(network, exclusions)
    } finally {
      network.close()
    }
    log.info({ pod: podUid, ipv6: network.hasIpv6 }, 'traffic is captured')
  }
}
