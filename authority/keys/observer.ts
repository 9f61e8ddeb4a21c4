import type { KeySetStatus } from './key-set-state.ts'

/** How fetching ended. `empty`: a key set without a usable key. `invalid`: something else than a key set. */
export type FetchOutcome = 'changed' | 'unchanged' | 'empty' | 'invalid' | 'blocked' | 'unavailable'

/** What is measured of key sets; no issuer is ever named. */
export interface KeysObserver {
  onFetch(outcome: FetchOutcome): void
  /**
   * @param counts of the key sets that policies want now
   * @param oldestAt when the one that was confirmed longest ago was, in milliseconds since the epoch; undefined: none was
   */
  onKeySets(counts: Readonly<Record<KeySetStatus, number>>, oldestAt: number | undefined): void
}
