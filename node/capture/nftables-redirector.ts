import { CountersignError } from '../../shared/errors/index.ts'
import type { Exclusions } from '../../shared/exclusions/index.ts'
import { missingChains } from './missing-chains.ts'
import type { PodNetwork } from './pod-network.ts'
import type { Redirector } from './redirector.ts'
import { captureRuleset, PROXY, rulesetText, TABLE } from './ruleset.ts'
import { runBounded } from './run-bounded.ts'

type Run = typeof runBounded

/**
 * Capture by nftables, with the programs `nsenter`, `nft` and, for pods with IPv6, `ip`. Needs CAP_SYS_ADMIN to enter
 * the namespace and CAP_NET_ADMIN in it.
 */
export class NftablesRedirector implements Redirector {
  readonly #run: Run

  constructor(run: Run = runBounded) {
    this.#run = run
  }

  async apply(network: PodNetwork, exclusions: Exclusions): Promise<void> {
    const inside = (input: string, ...command: string[]): Promise<string> =>
      // By descriptor: the namespace that was verified, whatever has become of the process since.
      this.#run('nsenter', ['--net=/proc/self/fd/3', ...command], { input, descriptor: network.descriptor })
    // Before the rules: once they are there, the proxy may deliver.
    if (network.hasIpv6)
      await inside('', 'ip', '-6', 'address', 'replace', `${PROXY.deliverySource.ip6}/128`, 'dev', 'lo')
    const ruleset = captureRuleset(exclusions)
    await inside(rulesetText(ruleset), 'nft', '-f', '-')
    const missing = missingChains(await inside('', 'nft', 'list', 'table', 'inet', TABLE), ruleset)
    if (missing.length > 0)
      throw new CountersignError(
        'ERR_CAPTURE_FAILED',
        `rules were accepted and are not in place: chains ${missing.join(', ')}`
      )
  }
}
