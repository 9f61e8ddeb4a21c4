import type { Chain, Ruleset } from './ruleset.ts'

interface ListedChain {
  readonly name: string
  readonly hook: string | undefined
  readonly comments: readonly string[]
}

/**
 * The chains of a ruleset that a listing (`nft list table`) does not hold as they should be: by their hooks, and by
 * the comments of their rules in order. The rest of a rule is written differently by different versions of nft.
 */
export function missingChains(listing: string, { chains }: Ruleset): readonly string[] {
  const listed = listing
    .split(/^\s*chain /m)
    .slice(1)
    .map(readChain)
  const isListed = (chain: Chain): boolean =>
    listed.some(
      ({ name, hook, comments }) =>
        name === chain.name &&
        hook === chain.hook &&
        comments.length === chain.rules.length &&
        chain.rules.every(({ why }, index) => comments[index] === why)
    )
  return chains.filter(chain => !isListed(chain)).map(({ name }) => name)
}

function readChain(text: string): ListedChain {
  return {
    name: /^\S+/.exec(text)?.[0] ?? '',
    hook: /^\s*type nat hook (\w+) /m.exec(text)?.[1],
    comments: [...text.matchAll(/ comment "([^"]*)"/g)].map(([, comment = '']) => comment)
  }
}
