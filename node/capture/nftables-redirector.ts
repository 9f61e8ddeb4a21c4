import { CountersignError } from '../../shared/errors/index.ts'
import type { Exclusions } from '../../shared/exclusions/index.ts'
import { addDeliveryRoutes } from './delivery-routes.ts'
import { missingChains } from './missing-chains.ts'
import { NFTABLES_REMOVAL, nftablesText, TABLE } from './nftables-text.ts'
import type { PodNetwork } from './pod-network.ts'
import type { RemovableRedirector } from './redirector.ts'
import { captureRuleset } from './ruleset.ts'
import { runBounded } from './run-bounded.ts'
import { insideOf, type Run } from './run-inside.ts'

/**
 * Capture by nftables, with the programs `nsenter`, `nft` and `ip`. Needs CAP_SYS_ADMIN to enter the namespace and
 * CAP_NET_ADMIN in it.
 */
export class NftablesRedirector implements RemovableRedirector {
  readonly #run: Run

  constructor(run: Run = runBounded) {
    this.#run = run
  }

  async apply(network: PodNetwork, exclusions: Exclusions): Promise<void> {
    const inside = insideOf(network, this.#run)
    await addDeliveryRoutes(network, inside)
    const ruleset = captureRuleset(exclusions)
    await inside(nftablesText(ruleset), 'nft', '-f', '-')
    const missing = missingChains(await inside('', 'nft', 'list', 'table', 'inet', TABLE), ruleset)
    if (missing.length > 0)
      throw new CountersignError(
        'ERR_CAPTURE_FAILED',
        `rules were accepted and are not in place: chains ${missing.join(', ')}`
      )
  }

  async remove(network: PodNetwork): Promise<void> {
    await insideOf(network, this.#run)(NFTABLES_REMOVAL, 'nft', '-f', '-')
  }
}
