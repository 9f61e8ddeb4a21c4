import { secretNameOf } from '../../shared/certificate-secrets/index.ts'
import { statusOf } from '../../shared/kube/index.ts'
import type { Ending } from './agenda.ts'
import type { Entry } from './ledger.ts'
import type { Note } from './types.ts'
import type { Outcome } from './write-secret.ts'

/** What follows from an attempt to write. */
export interface Consequence {
  readonly ending: Ending
  /** What stands in the way. */
  readonly obstacle?: Note
  /** How often in a row there was a Secret of that name of which the watch does not tell. */
  readonly conflicts?: number
}

/** A Secret of ours that was made without an answer is told by the watch within this time. */
const WATCH_TELLS_MS = 5_000
const NOT_OURS_MS = 60_000
/** Who fails so often in a row for one Secret does so for a reason that its user is to know. */
const TOLD_AFTER_FAILURES = 3

/** @param failures how often it failed before, in a row */
export function consequenceOf(outcome: Outcome, { account, conflicts }: Entry, failures: number): Consequence {
  const secret = `the Secret ${secretNameOf(account.name)}`
  switch (outcome.kind) {
    case 'written':
      return { ending: 'done' }
    case 'given-up':
      return { ending: { afterMs: 0 } }
    case 'overtaken':
      return { ending: 'later' }
    case 'taken': {
      // Once may be our own, made by a request whose answer was lost, or told a little later.
      if (conflicts === 0) return { ending: { afterMs: WATCH_TELLS_MS }, conflicts: 1 }
      const message = `${secret} is somebody else's, of another type: it is left alone; delete or rename it`
      return {
        ending: { afterMs: NOT_OURS_MS },
        obstacle: { reason: 'SecretNotOurs', message },
        conflicts: conflicts + 1
      }
    }
    case 'refused':
      return { ending: 'later', obstacle: refused(`${secret} cannot be written: ${outcome.message}`) }
    case 'unavailable': {
      const isTold = statusOf(outcome.err) !== undefined && failures >= TOLD_AFTER_FAILURES
      const told = isTold ? { obstacle: refused(`${secret} cannot be written: ${outcome.message}`) } : {}
      return { ending: 'later', conflicts, ...told }
    }
    case 'failed':
      return outcome.err.code === 'ERR_ISSUER_UNUSABLE'
        ? { ending: 'later', obstacle: { reason: 'IssuerUnusable', message: outcome.err.message } }
        : { ending: 'later' }
  }
}

const refused = (message: string): Note => ({ reason: 'WriteRefused', message })
