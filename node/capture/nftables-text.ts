import type { Match, Rule, Ruleset, Verdict } from './ruleset.ts'

/** The one table that is ours; `inet` holds IPv4 and IPv6. */
export const TABLE = 'countersign'

/**
 * The input of `nft -f -` that puts a ruleset in place of whatever was there of it before, in one transaction: every
 * packet meets the old rules or the new ones. Connections that are open keep what was decided for them.
 */
export function nftablesText({ chains }: Ruleset): string {
  const lines = chains.flatMap(({ name, hook, rules }) => [
    `  chain ${name} {`,
    // A number, because the name "dstnat" of this priority is refused for output. Before the filters of others.
    ...(hook === undefined ? [] : [`    type nat hook ${hook} priority -100; policy accept;`]),
    ...rules.map(rule => `    ${ruleText(rule)}`),
    '  }'
  ])
  return `${NFTABLES_REMOVAL}table inet ${TABLE} {\n${lines.join('\n')}\n}\n`
}

/** The input of `nft -f -` that takes our rules away, or does nothing where there are none. */
// The first line makes a table that the second can delete.
export const NFTABLES_REMOVAL = `table inet ${TABLE}\ndelete table inet ${TABLE}\n`

function ruleText({ match, verdict, why }: Rule): string {
  return [...matchText(match), verdictText(verdict), `comment "${why}"`].join(' ')
}

function matchText({ user, from, via, source, destination, exceptDestination, tcp }: Match): string[] {
  return [
    ...(user === undefined ? [] : [`meta skuid ${oneOrSet(user, String)}`]),
    ...(from === undefined ? [] : [`iifname ${oneOrSet(from, quoted)}`]),
    ...(via === undefined ? [] : [`oifname ${oneOrSet(via, quoted)}`]),
    ...(source === undefined ? [] : [`${source.family} saddr ${source.text}`]),
    ...(destination === undefined ? [] : [`${destination.family} daddr ${destination.text}`]),
    ...(exceptDestination === undefined ? [] : [`${exceptDestination.family} daddr != ${exceptDestination.text}`]),
    ...(tcp === undefined ? [] : [tcp === 'any' ? 'meta l4proto tcp' : `tcp dport ${oneOrSet(tcp, String)}`])
  ]
}

function verdictText(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'return':
      return 'return'
    case 'jump':
      return `jump ${verdict.chain}`
    case 'redirect':
      return `redirect to :${verdict.port}`
  }
}

const quoted = (name: string): string => `"${name}"`

function oneOrSet<T extends string | number>(value: T | readonly T[], show: (entry: T) => string): string {
  return typeof value === 'object' ? `{ ${value.map(show).join(', ')} }` : show(value)
}
