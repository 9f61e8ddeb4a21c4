import { SECRET_TYPE, secretNameOf } from '../../shared/certificate-secrets/index.ts'
import { issuerEndsNote, type Prospect, prospectOf } from './prospect.ts'
import { reasonToIssue } from './reason.ts'
import { type Renewal, renewal } from './renewal.ts'
import type { Account, Content, Judgement, Note, PresentSecret, RunService, Surroundings, Trust } from './types.ts'
import { wantedCertificate } from './wanted.ts'

/** An account, and all that decides what is to be done about it. */
export interface Subject {
  readonly account: Account
  readonly secret: PresentSecret | undefined
  /** Those that the account runs and those that nobody runs; others may be among them. */
  readonly services: readonly RunService[]
  readonly trust: Trust
  /** Milliseconds since the epoch. */
  readonly now: number
}

/**
 * What is to be done about an account. Pure, and cheap: nothing is parsed, nothing signed. What is valid gives way
 * only to what is as it shall be, and not for something that ends as soon.
 */
export function judge(subject: Subject, surroundings: Surroundings): Judgement {
  const { account, secret, trust, now } = subject
  if (secretNameOf(account.name) === undefined) return leave([NAME_TOO_LONG])
  if (secret !== undefined && secret.type !== SECRET_TYPE) return leave([notOurs(secret)])
  const present = contentOf(secret)
  const { wanted, notes } = wantedCertificate({ ...subject, present }, surroundings)
  if (wanted === undefined) return leave(notes)

  const prospect = prospectOf(wanted, trust, surroundings.limits, now)
  const reach = prospect.kind === 'usable' ? prospect.reach : undefined
  const next = present && renewal(present, wanted.lifetimeMs, reach, now)
  const reason = reasonToIssue({ secret, present, wanted, trust, isDue: next?.due ?? false, now })
  const hindrance = reason === undefined ? undefined : hindranceOf(secret, prospect)
  if (reason !== undefined && hindrance === undefined)
    return { kind: 'write', reason, wanted, notes: [...notes, ...shorter(prospect, now + wanted.lifetimeMs)] }

  const told = hindrance === undefined ? notes : [...notes, hindrance]
  // That needs no signature, and Kubernetes allows it even where the data cannot be changed.
  if (secret !== undefined && !isOwnedBy(secret, account))
    return { kind: 'write', reason: 'owner', wanted, notes: told }
  if (present === undefined || next === undefined || hindrance !== undefined)
    return leave(told, nextChange(prospect, present, now))
  return { kind: 'right', lookAgainAt: next.lookAgainAt, notes: [...told, ...ending(prospect, present, next)] }
}

function leave(notes: readonly Note[], lookAgainAt = Number.POSITIVE_INFINITY): Judgement {
  return { kind: 'leave', lookAgainAt, notes }
}

function contentOf(secret: PresentSecret | undefined): Content | undefined {
  return secret === undefined || 'problem' in secret.content ? undefined : secret.content
}

/** Its only one: with another, it would outlive the account. */
function isOwnedBy({ owners }: PresentSecret, { uid }: Account): boolean {
  return owners.length > 0 && owners.every(owner => owner === uid)
}

function hindranceOf(secret: PresentSecret | undefined, prospect: Prospect): Note | undefined {
  if (secret?.immutable === true) return immutable(secret)
  return prospect.kind === 'unusable' ? { reason: 'IssuerUnusable', message: prospect.why } : undefined
}

/** When something changes by itself: the issuer begins, or what is there ends. */
function nextChange(prospect: Prospect, present: Content | undefined, now: number): number {
  const begins = prospect.kind === 'unusable' ? prospect.from : Number.POSITIVE_INFINITY
  const ends = present !== undefined && present.notAfter > now ? present.notAfter : Number.POSITIVE_INFINITY
  return Math.min(begins, ends)
}

/** Of a certificate to come that should last until `wanted`. */
function shorter(prospect: Prospect, wanted: number): readonly Note[] {
  return prospect.kind === 'usable' && prospect.reach < wanted ? [issuerEndsNote(prospect.issuerEnds)] : []
}

/** Of one that is there. */
function ending(prospect: Prospect, { notAfter }: Content, { issuerEnds }: Renewal): readonly Note[] {
  if (prospect.kind === 'unusable') return []
  return issuerEnds || notAfter >= prospect.issuerEnds ? [issuerEndsNote(prospect.issuerEnds)] : []
}

const NAME_TOO_LONG: Note = {
  reason: 'NameTooLong',
  message: 'the name of the service account is too long for that of a Secret: at most 241 characters leave room'
}

const LONGEST_SHOWN = 80

function notOurs({ name, type }: PresentSecret): Note {
  const shown = JSON.stringify(type.slice(0, LONGEST_SHOWN))
  const message = `Secret ${name} is somebody else's, of type ${shown}, and left alone: a certificate needs that name`
  return { reason: 'SecretNotOurs', message }
}

function immutable({ name }: PresentSecret): Note {
  const message = `Secret ${name} is marked as immutable and would have to be changed: once deleted, it is made anew`
  return { reason: 'SecretImmutable', message }
}
