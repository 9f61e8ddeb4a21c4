import { CountersignError } from '../../shared/errors/index.ts'
import type { Exclusions } from '../../shared/exclusions/index.ts'
import { addDeliveryRoutes } from './delivery-routes.ts'
import { type IptablesListing, missingIptablesChains, readListing } from './iptables-listing.ts'
import { iptablesChains, iptablesRemoval, iptablesText } from './iptables-text.ts'
import type { PodNetwork } from './pod-network.ts'
import type { RemovableRedirector } from './redirector.ts'
import { captureRuleset, type Family } from './ruleset.ts'
import { runBounded } from './run-bounded.ts'
import { insideOf, type Run, type RunInside } from './run-inside.ts'

/** Which of the two programs of that name: by nf_tables of the kernel, or by its older ip_tables. */
export type IptablesVariant = 'nft' | 'legacy'

// IPv6 first: it is what a kernel lacks more often, and then nothing was changed yet.
const PROGRAMS: readonly (readonly [Family, string])[] = [
  ['ip6', 'ip6tables'],
  ['ip', 'iptables']
]

// Less than a command may take at all, so that it is iptables that says who holds its lock.
const LOCK_SECONDS = 3

/**
 * Capture by iptables, with the programs `nsenter`, `iptables-<variant>-save` and `-restore`, the same of `ip6tables`,
 * and `ip`. Needs CAP_SYS_ADMIN to enter the namespace, CAP_NET_ADMIN in it and, if legacy,
 * CAP_NET_RAW.
 *
 * IPv4 and IPv6 are two transactions. When the second fails, the first is not taken back: what it captures meets a
 * proxy without listeners and is refused, until the pod is asked about again. Resolving means both.
 */
export class IptablesRedirector implements RemovableRedirector {
  readonly #variant: IptablesVariant
  readonly #run: Run

  constructor(variant: IptablesVariant, run: Run = runBounded) {
    this.#variant = variant
    this.#run = run
  }

  async apply(network: PodNetwork, exclusions: Exclusions): Promise<void> {
    const inside = insideOf(network, this.#run)
    await addDeliveryRoutes(network, inside)
    const ruleset = captureRuleset(exclusions)
    const plans: { program: string; listing: IptablesListing; chains: ReturnType<typeof iptablesChains> }[] = []
    // Both families are looked at before either is changed.
    for (const [family, program] of programsFor(network))
      plans.push({
        program,
        listing: await this.#list(inside, program),
        chains: iptablesChains(ruleset, family)
      })
    for (const { program, listing, chains } of plans)
      await this.#restore(inside, program, iptablesText(chains, listing)).catch(thrown => {
        throw network.hasOwnUsers ? withUsersNamed(thrown) : thrown
      })
    const missing: string[] = []
    for (const { program, chains } of plans)
      for (const name of missingIptablesChains(await this.#list(inside, program), chains))
        missing.push(`${name} of ${program}`)
    if (missing.length > 0)
      throw new CountersignError(
        'ERR_CAPTURE_FAILED',
        `rules were accepted and are not in place: chains ${missing.join(', ')}`
      )
  }

  async remove(network: PodNetwork): Promise<void> {
    // Looking alone would make the kernel load ip_tables, and warn that it is old.
    if (this.#variant === 'legacy' && !network.hasLegacyTables) return
    const inside = insideOf(network, this.#run)
    for (const [, program] of programsFor(network)) {
      const removal = iptablesRemoval(await this.#list(inside, program))
      if (removal !== undefined) await this.#restore(inside, program, removal)
    }
  }

  async #list(inside: RunInside, program: string): Promise<IptablesListing> {
    return readListing(await inside('', `${program}-${this.#variant}-save`, '-t', 'nat'))
  }

  async #restore(inside: RunInside, program: string, text: string): Promise<void> {
    await inside(text, `${program}-${this.#variant}-restore`, '--noflush', `--wait=${LOCK_SECONDS}`)
  }
}

// Kernel: owner_check of net/netfilter/xt_owner.c allows rules about users where they are those of who makes the rule.
function withUsersNamed(thrown: unknown): CountersignError {
  const { message } = CountersignError.from(thrown)
  const reason = 'iptables cannot capture a pod with users of its own (hostUsers: false), nftables can'
  return new CountersignError('ERR_CAPTURE_FAILED', `${reason}: ${message}`, { cause: thrown })
}

// Not by its addresses, which may come later, but by whether the kernel speaks IPv6 at all.
function programsFor({ speaksIpv6 }: PodNetwork): readonly (readonly [Family, string])[] {
  return PROGRAMS.filter(([family]) => family === 'ip' || speaksIpv6)
}
