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
