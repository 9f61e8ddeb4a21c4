import { EXCLUSIONS, type ExclusionList, type Exclusions, MOST_ENTRIES } from './exclusions.ts'

// Longer than any list that is allowed: 64 IPv6 prefixes of 49 characters, and blanks.
const LONGEST_TEXT = 4_096

/** The entries of a list, each once, numbers ascending; and the texts that are not allowed as entries. */
export function readEntries<T>(
  { parse }: ExclusionList<T>,
  texts: Iterable<string>
): { readonly entries: readonly T[]; readonly refused: readonly string[] } {
  const entries: T[] = []
  const refused: string[] = []
  for (const text of new Set(texts)) {
    const entry = parse(text)
    if (entry === undefined) refused.push(text)
    else entries.push(entry)
  }
  // What is excluded alike makes the same rules.
  const order = (a: T, b: T): number => (typeof a === 'number' && typeof b === 'number' ? a - b : 0)
  return { entries: Object.freeze(entries.sort(order)), refused }
}

/** The entries of a text, with or without blanks around commas; undefined when it is not allowed as it is. */
export function readList<T>(list: ExclusionList<T>, text: string): readonly T[] | undefined {
  if (text.length > LONGEST_TEXT) return undefined
  const { entries, refused } = readEntries(
    list,
    text.split(',').map(part => part.trim())
  )
  return refused.length > 0 || entries.length > MOST_ENTRIES ? undefined : entries
}

/**
 * What annotations of a pod, or attributes of its volume, exclude. A list that is not allowed excludes nothing, as if
 * it were absent: traffic goes through the proxy unless somebody clearly said otherwise.
 */
export function exclusionsOf(texts: Readonly<Record<string, string>>): Exclusions {
  const read = <T>(list: ExclusionList<T>): readonly T[] => readList(list, texts[list.name] ?? '') ?? []
  return Object.freeze({
    inboundPorts: read(EXCLUSIONS.inboundPorts),
    outboundPorts: read(EXCLUSIONS.outboundPorts),
    outboundCidrs: read(EXCLUSIONS.outboundCidrs),
    interfaces: read(EXCLUSIONS.interfaces),
    outboundUsers: read(EXCLUSIONS.outboundUsers)
  })
}
