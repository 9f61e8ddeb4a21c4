import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { Exclusions } from '../../shared/exclusions/index.ts'
import type { Debt } from '../../shared/lifecycle/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { type CaptureChoice, candidatesFor, MEANS, type MeansName } from './means.ts'
import type { PodNetwork } from './pod-network.ts'
import type { Redirector, RemovableRedirector } from './redirector.ts'
import { openScratchNetwork } from './scratch-network.ts'

export interface ChosenRedirectorOptions {
  readonly choice: CaptureChoice
  readonly clock: Clock
  readonly log: Logger
  /** Paid once a means is chosen. */
  readonly debt: Debt
  readonly means?: Readonly<Record<MeansName, RemovableRedirector>>
  /** Opens a network namespace of nobody. */
  readonly openScratch?: () => Promise<PodNetwork>
}

interface Chosen {
  readonly redirector: Redirector
  /** Means that may have captured a pod before, and can be asked to take their rules away. */
  readonly others: readonly MeansName[]
}

const RETRY_MS = 30_000

// An entry of each kind: a kernel that lacks what one of them needs must not be found out by a pod.
const TRIAL: Exclusions = {
  inboundPorts: [1],
  outboundPorts: [1],
  outboundCidrs: [
    { family: 'ip', text: '192.0.2.0/24' },
    { family: 'ip6', text: '2001:db8::/32' }
  ],
  interfaces: ['trial'],
  outboundUsers: [1]
}

/**
 * Capture by the first means that works on this node. What works is tried out: the rules of a pod are put in place in
 * a network namespace of nobody, and read back. That a program is installed, or says its version, tells nothing of
 * the kernel.
 *
 * Chosen once, for as long as the program runs. While nothing works, it is tried again: the program serves its other
 * purposes meanwhile, because without it pods could not even be deleted.
 */
export class ChosenRedirector implements Redirector {
  readonly #options: Required<ChosenRedirectorOptions>
  #chosen: Promise<Chosen> | undefined
  #cancel = (): void => {}

  constructor(options: ChosenRedirectorOptions) {
    this.#options = { means: MEANS, openScratch: openScratchNetwork, ...options }
  }

  /** Resolves when the first trial is over, whatever came of it. */
  async start(): Promise<void> {
    const { clock, log } = this.#options
    try {
      await this.#choose()
    } catch (thrown) {
      log.error({ err: CountersignError.from(thrown) }, 'no traffic can be captured on this node: it is tried again')
      this.#cancel = clock.after(RETRY_MS, () => void this.start())
    }
  }

  close(): void {
    this.#cancel()
  }

  /**
   * Rules of another means are taken away after those of the chosen one are in place: there is no moment without.
   * While both are there they do no harm, since the kernel redirects a connection once, and both lead it to the same
   * port. That is why it is no failure if they cannot be taken away.
   */
  async apply(network: PodNetwork, exclusions: Exclusions): Promise<void> {
    const { redirector, others } = await this.#choose()
    await redirector.apply(network, exclusions)
    const { means, log } = this.#options
    for (const name of others)
      try {
        await means[name].remove(network)
      } catch (thrown) {
        log.warn({ means: name, err: CountersignError.from(thrown) }, 'rules of another means were not taken away')
      }
  }

  #choose(): Promise<Chosen> {
    this.#chosen ??= this.#tryAll().catch(thrown => {
      this.#chosen = undefined
      throw thrown
    })
    return this.#chosen
  }

  async #tryAll(): Promise<Chosen> {
    const { choice, means, log, debt } = this.#options
    const failed: string[] = []
    for (const name of candidatesFor(choice)) {
      const reason = await this.#failureOf(network => means[name].apply(network, TRIAL))
      if (reason === undefined) {
        const others = await this.#othersThan(name)
        log.info({ asked: choice, means: name, failed, others }, 'means of capture chosen: the first that works')
        debt.pay()
        return { redirector: means[name], others }
      }
      failed.push(`${name}: ${reason}`)
    }
    throw new CountersignError('ERR_CAPTURE_FAILED', `capture by ${choice} does not work here: ${failed.join('; ')}`)
  }

  /** Those that could have captured a pod on this node: what does not work now has left nothing that acts now. */
  async #othersThan(chosen: MeansName): Promise<readonly MeansName[]> {
    const { means } = this.#options
    const others: MeansName[] = []
    for (const name of Object.keys(means) as MeansName[])
      if (name !== chosen && (await this.#failureOf(network => means[name].remove(network))) === undefined)
        others.push(name)
    return others
  }

  /** Why something cannot be done in a network namespace; undefined when it can. */
  async #failureOf(attempt: (network: PodNetwork) => Promise<void>): Promise<string | undefined> {
    let network: PodNetwork | undefined
    try {
      network = await this.#options.openScratch()
      await attempt(network)
      return undefined
    } catch (thrown) {
      return CountersignError.from(thrown).message
    } finally {
      network?.close()
    }
  }
}
