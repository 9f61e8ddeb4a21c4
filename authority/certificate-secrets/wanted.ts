import { ACCOUNT_ANNOTATIONS } from '../../shared/certificate-secrets/index.ts'
import { SpiffeId } from '../../shared/identity/index.ts'
import { type DnsNames, dnsNames, MOST_DNS_NAMES } from './dns-names.ts'
import { clampedLifetime, issuedAt } from './lifetime.ts'
import { rootDigest } from './roots-digest.ts'
import type { Account, Content, Note, RunService, Surroundings, Trust, WantedCertificate } from './types.ts'

export interface Asked {
  readonly account: Account
  /** What there is, whoever it names. */
  readonly present: Content | undefined
  readonly services: readonly RunService[]
  readonly trust: Trust
}

/** What the certificate of an account shall say; undefined when that cannot be known. */
export interface Answer {
  readonly wanted: WantedCertificate | undefined
  readonly notes: readonly Note[]
}

/**
 * What an account asks for, within the limits. What it asks in words that mean nothing stays as it is; where there is
 * nothing yet, nobody knows what somebody wanted.
 */
export function wantedCertificate({ account, present, services, trust }: Asked, surroundings: Surroundings): Answer {
  const { trustDomain, clusterDomain, limits } = surroundings
  const spiffeId = SpiffeId.workload(trustDomain, account.namespace, account.name)
  const { wishes, unreadable } = account.asked
  // The certificate of somebody else says nothing about this account.
  const before = present?.spiffeId === spiffeId.toString() ? present : undefined
  const notes = [...unreadableNotes(account, before !== undefined)]
  if (unreadable.length > 0 && before === undefined) return { wanted: undefined, notes }
  const stays = before === undefined ? [] : unreadable

  const key = stays.includes('key') ? before?.key : wishes.key
  const clamped = clampedLifetime(wishes.lifetimeMs ?? limits.standardMs, limits)
  if (wishes.lifetimeMs !== undefined) notes.push(...clamped.notes)
  const lifetimeMs =
    before !== undefined && stays.includes('lifetimeMs')
      ? clampedLifetime(before.notAfter - issuedAt(before), limits).lifetimeMs
      : clamped.lifetimeMs

  const known = before?.dnsNames ?? []
  // Whoever may write Secrets can write one with roots and names of their own: only what is ours is a reason to sign.
  const signed = before !== undefined && isOurs(before, trust) ? known : []
  const found =
    wishes.dnsNames === 'services' || stays.includes('dnsNames')
      ? dnsNames(services, account, signed, clusterDomain)
      : NO_NAMES
  if (!stays.includes('dnsNames') && found.left > 0) notes.push(tooMany(found))
  const names = stays.includes('dnsNames') ? found.names.filter(name => known.includes(name)) : found.names

  return { wanted: { spiffeId, key: key ?? 'ecdsa-p256', dnsNames: names, lifetimeMs }, notes }
}

const NO_NAMES: DnsNames = { names: [], left: 0 }

function isOurs({ anchors }: Content, { bundle }: Trust): boolean {
  return bundle.roots.some(root => anchors.includes(rootDigest(root)))
}

function tooMany({ names, left }: DnsNames): Note {
  const message = `the certificate has the first ${names.length} DNS names of its Services: ${left} more find no room (at most ${MOST_DNS_NAMES}, and 12 KiB in all)`
  return { reason: 'TooManyDnsNames', message }
}

// Whoever writes annotations decides how many there are; each note becomes an event.
const MOST_PROBLEMS = 3

function unreadableNotes({ asked: { unreadable, problems } }: Account, isThere: boolean): readonly Note[] {
  if (problems.length === 0) return []
  // What keeps a Secret from being made comes before what has no effect.
  const sorted = problems.toSorted((a, b) => Number(isKnown(b)) - Number(isKnown(a)))
  const told = sorted.slice(0, MOST_PROBLEMS).map(({ annotation, message }) => `${annotation}: ${message}`)
  const more = problems.length - told.length
  if (more > 0) told.push(`and ${more} more`)
  if (unreadable.length > 0)
    told.push(
      isThere
        ? 'until it can be read, the certificate stays as it is and goes on being renewed'
        : 'until it can be read, no certificate is made'
    )
  return [{ reason: 'AnnotationUnreadable', message: told.join('; ') }]
}

const isKnown = ({ annotation }: { readonly annotation: string }): boolean => ACCOUNT_ANNOTATIONS.has(annotation)
