import type { Exclusions } from '../../shared/exclusions/index.ts'
import type { PodNetwork } from './pod-network.ts'

/** Puts capture rules into a network namespace, by whatever means the node's kernel offers. */
export interface Redirector {
  /**
   * Resolves when the rules are in place. All of them or none; applied again, they harm no connection.
   *
   * @throws CountersignError ERR_CAPTURE_FAILED
   */
  apply(network: PodNetwork, exclusions: Exclusions): Promise<void>
}

/** One means of doing so, which can take its own rules away again. */
export interface RemovableRedirector extends Redirector {
  /**
   * Takes away the rules that this means put in place, and nothing of others. Nothing happens where there are none.
   *
   * @throws CountersignError ERR_CAPTURE_FAILED
   */
  remove(network: PodNetwork): Promise<void>
}
