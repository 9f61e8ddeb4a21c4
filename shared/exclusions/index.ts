// What of a pod's traffic bypasses its proxy, as its author wrote it: one list of each kind, one parser for all who read.
//
// In: texts of annotations or volume attributes, or single entries of a list. Out: exclusions, or that they are not
// allowed; the words that say what is.
// Never: guesses what a wrong list meant; lets through what is not a number, an address or the name of an interface:
// exclusions become part of a ruleset.
// Source: Linux, dev_valid_name in net/core/dev.c (names of interfaces); Kubernetes, PodSecurityContext (users);
// RFC 4632 section 3.1 and RFC 4291 section 2.3 (prefixes).

export type { Cidr } from './entry.ts'
export { EXCLUSIONS, type ExclusionList, type Exclusions, MOST_ENTRIES, NO_EXCLUSIONS } from './exclusions.ts'
export { exclusionsOf, readEntries, readList } from './read.ts'
