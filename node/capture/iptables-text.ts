import { type IptablesListing, targetOf } from './iptables-listing.ts'
import type { Addresses, Chain, Family, Match, Rule, Ruleset, Verdict } from './ruleset.ts'

/** Every chain of ours in table nat has a name that begins with this, and no chain of others has. */
const CHAIN_PREFIX = 'COUNTERSIGN_'

/** A chain of one family, as iptables has it. */
export interface IptablesChain {
  readonly name: string
  /** The chain of the kernel that jumps to it, before anything else. */
  readonly parent?: 'PREROUTING' | 'OUTPUT'
  readonly rules: readonly { readonly text: string; readonly why: string }[]
}

const PARENTS = { prerouting: 'PREROUTING', output: 'OUTPUT' } as const
// One word: it is written without quotes, by every version.
const WHY_JUMP = 'countersign'

// XT_MULTI_PORTS of linux/netfilter/xt_multiport.h.
const MOST_PORTS = 15

/** The chains of a ruleset that concern a family. A rule with lists becomes as many as iptables needs for it. */
export function iptablesChains({ chains }: Ruleset, family: Family): readonly IptablesChain[] {
  return chains.map(({ name, hook, rules }: Chain) => ({
    name: chainName(name),
    ...(hook === undefined ? {} : { parent: PARENTS[hook] }),
    rules: rules.flatMap(rule => ruleTexts(rule, family).map(text => ({ text, why: rule.why })))
  }))
}

/**
 * The input of `iptables-restore --noflush` or `ip6tables-restore --noflush` that puts chains in place of whatever was
 * there of them before, in one transaction for its family. Chains of others are neither named nor flushed.
 *
 * @param listing what is there now: the jumps to our chains are taken out, wherever they stand, and put first
 */
export function iptablesText(chains: readonly IptablesChain[], listing: IptablesListing): string {
  return restoreText([
    // Made, or emptied if it is there.
    ...chains.map(({ name }) => `:${name} - [0:0]`),
    ...chains.flatMap(({ name, rules }) => rules.map(({ text }) => `-A ${name} ${text}`)),
    ...removedJumps(listing),
    ...chains.flatMap(({ name, parent }) => (parent === undefined ? [] : [`-I ${parent} 1 ${jumpText(name)}`]))
  ])
}

/** The input that takes away every chain of ours and the jumps to them; undefined where there are none. */
export function iptablesRemoval(listing: IptablesListing): string | undefined {
  const names = [...listing.keys()].filter(name => name.startsWith(CHAIN_PREFIX))
  if (names.length === 0) return undefined
  return restoreText([
    ...removedJumps(listing),
    // A chain can be deleted when nothing jumps to it any more.
    ...names.map(name => `-F ${name}`),
    ...names.map(name => `-X ${name}`)
  ])
}

function jumpText(name: string): string {
  return `-m comment --comment ${WHY_JUMP} -j ${name}`
}

function removedJumps(listing: IptablesListing): readonly string[] {
  return Object.values(PARENTS).flatMap(parent =>
    (listing.get(parent) ?? []).filter(isOwnJump).map(text => `-D ${parent} ${text}`)
  )
}

const isOwnJump = (rule: string): boolean => targetOf(rule)?.startsWith(CHAIN_PREFIX) === true

const chainName = (name: string): string => `${CHAIN_PREFIX}${name.toUpperCase()}`

const restoreText = (lines: readonly string[]): string => ['*nat', ...lines, 'COMMIT', ''].join('\n')

function ruleTexts({ match, verdict, why }: Rule, family: Family): readonly string[] {
  const { source, destination, exceptDestination } = match
  const addresses = [source, destination, exceptDestination].filter(one => one !== undefined)
  if (addresses.some(one => one.family !== family)) return []
  const rest = `-m comment --comment "${why}" ${verdictText(verdict)}`
  return matchTexts(match).map(text => (text === '' ? rest : `${text} ${rest}`))
}

// One text for every combination of entries of lists; iptables has no sets of users or interfaces of its own.
function matchTexts({ user, from, via, source, destination, exceptDestination, tcp }: Match): readonly string[] {
  const parts: (readonly string[])[] = [
    each(source, ({ text }: Addresses) => `-s ${text}`),
    each(destination, ({ text }: Addresses) => `-d ${text}`),
    each(exceptDestination, ({ text }: Addresses) => `! -d ${text}`),
    each(from, name => `-i ${name}`),
    each(via, name => `-o ${name}`),
    tcp === undefined ? [''] : tcp === 'any' ? ['-p tcp'] : portTexts(tcp),
    each(user, id => `-m owner --uid-owner ${id}`)
  ]
  return parts.reduce((texts, options) =>
    texts.flatMap(text => options.map(option => [text, option].filter(part => part !== '').join(' ')))
  )
}

function each<T extends string | number | Addresses>(
  value: T | readonly T[] | undefined,
  show: (entry: T) => string
): readonly string[] {
  if (value === undefined) return ['']
  return (Array.isArray(value) ? (value as readonly T[]) : [value as T]).map(show)
}

function portTexts(ports: readonly number[]): readonly string[] {
  const groups = Array.from({ length: Math.ceil(ports.length / MOST_PORTS) }, (_, index) =>
    ports.slice(index * MOST_PORTS, (index + 1) * MOST_PORTS)
  )
  return groups.map(group => `-p tcp -m multiport --dports ${group.join()}`)
}

function verdictText(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'return':
      return '-j RETURN'
    case 'jump':
      return `-j ${chainName(verdict.chain)}`
    case 'redirect':
      return `-j REDIRECT --to-ports ${verdict.port}`
  }
}
