import { rootsDigest } from './roots-digest.ts'
import type { Content, PresentSecret, Trust, WantedCertificate, WriteReason } from './types.ts'

export interface Facts {
  readonly secret: PresentSecret | undefined
  /** What the Secret says, when it says anything. */
  readonly present: Content | undefined
  readonly wanted: WantedCertificate
  readonly trust: Trust
  /** Whether it is time to renew what is there. */
  readonly isDue: boolean
  readonly now: number
}

type Present = Omit<Facts, 'present'> & { readonly present: Content }

// What an account asks for has to be shorter by this much, to be worth a certificate before its time; the clock of
// the leader before may have been ahead by the rest.
const LONGER = 1.1
const CLOCKS_MS = 60_000

/** In the order in which they are looked at; one is enough, since each is mended by the same new certificate. */
const REASONS: readonly { readonly reason: WriteReason; readonly when: (facts: Present) => boolean }[] = [
  { reason: 'identity', when: ({ present, wanted }) => present.spiffeId !== wanted.spiffeId.toString() },
  { reason: 'roots', when: ({ present, trust }) => present.roots !== rootsDigest(trust.bundle) },
  { reason: 'key', when: ({ present, wanted }) => present.key !== wanted.key },
  { reason: 'dns-names', when: ({ present, wanted }) => !areSame(present.dnsNames, wanted.dnsNames) },
  {
    reason: 'lifetime',
    when: ({ present, wanted, now }) => present.notAfter > now + wanted.lifetimeMs * LONGER + CLOCKS_MS
  },
  { reason: 'renewal', when: ({ isDue }) => isDue }
]

/** Why an account needs a new certificate; undefined: what there is is right. */
export function reasonToIssue(facts: Facts): WriteReason | undefined {
  const { secret, present } = facts
  if (secret === undefined) return 'missing'
  if (present === undefined) return 'damaged'
  return REASONS.find(({ when }) => when({ ...facts, present }))?.reason
}

function areSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name, index) => name === other[index])
}
