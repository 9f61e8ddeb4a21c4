import type { IptablesChain } from './iptables-text.ts'

/** Table nat as `iptables-save` or `ip6tables-save` prints it: each chain, and its rules without `-A` and its name. */
export type IptablesListing = ReadonlyMap<string, readonly string[]>

export function readListing(text: string): IptablesListing {
  const chains = new Map<string, string[]>()
  for (const line of text.split('\n')) {
    const declared = /^:(\S+) /.exec(line)?.[1]
    if (declared !== undefined) chains.set(declared, [])
    const [, name = '', rule = ''] = /^-A (\S+) (.+?)\s*$/.exec(line) ?? []
    chains.get(name)?.push(rule)
  }
  return chains
}

/**
 * The chains that a listing does not hold as they should be: by the comments of their rules in order, and by the jump
 * to them, which has to be the first rule of its chain and the only one. The rest of a rule is written differently by
 * different versions of iptables.
 */
export function missingIptablesChains(listing: IptablesListing, chains: readonly IptablesChain[]): readonly string[] {
  const hasRules = ({ name, rules }: IptablesChain): boolean => {
    const listed = listing.get(name)
    return listed?.length === rules.length && rules.every(({ why }, index) => commentOf(listed[index]) === why)
  }
  const isJumpedTo = ({ name, parent }: IptablesChain): boolean => {
    if (parent === undefined) return true
    const rules = listing.get(parent) ?? []
    return isWholeJump(rules[0], name) && rules.filter(rule => targetOf(rule) === name).length === 1
  }
  return chains.filter(chain => !hasRules(chain) || !isJumpedTo(chain)).map(({ name }) => name)
}

/** The chain to which a rule leads, or what else becomes of a packet. */
export function targetOf(rule: string): string | undefined {
  // Not in a comment, which may hold anything.
  return / -[jg] (\S+)/.exec(` ${rule.replace(/"(?:[^"\\]|\\.)*"/g, '')}`)?.[1]
}

// With a condition it would lead only some there.
const isWholeJump = (rule = '', name: string): boolean =>
  /^-m comment --comment (\S+) -j (\S+)$/.exec(rule)?.[2] === name

// A comment of one word is written without quotes.
function commentOf(rule = ''): string | undefined {
  const { quoted, word } = / --comment (?:"(?<quoted>[^"]*)"|(?<word>\S+))/.exec(` ${rule}`)?.groups ?? {}
  return quoted ?? word
}
