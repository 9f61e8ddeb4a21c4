import type { FollowedNamespace } from './followed-namespace.ts'
import type { Subject } from './judge.ts'
import type { AccountState } from './readiness-condition.ts'
import type { ServicesByAccount } from './services-by-account.ts'
import type { Account, Judgement, Note, Trust } from './types.ts'

/** What is known of an account, and what was judged of that. */
export interface Entry extends Omit<Subject, 'now'> {
  readonly judgement: Judgement
  readonly lookAgainAt: number
  /** Since when a write has been due. */
  readonly dueSince: number | undefined
  /** What the last attempt to write met. */
  readonly obstacle: Note | undefined
  /** How often in a row there was a Secret of that name that is none of ours. */
  readonly conflicts: number
}

export type SecretCounts = Readonly<Record<'right' | 'waiting' | 'left', number>>

export interface Circumstances {
  readonly services: ServicesByAccount
  readonly trust: Trust
  readonly now: number
}

/** What is to be written is judged again after so long: it may wait for its turn. */
const JUDGED_FOR_MS = 60_000
const LOOKS_APART_MS = 100
/** Judgements after which others may use the thread. */
const IN_A_ROW = 100
export const NO_SECRETS: SecretCounts = { right: 0, waiting: 0, left: 0 }

/** The accounts of one namespace, each judged again only when something that matters to it changed, or it is time. */
export class Ledger {
  readonly followed: FollowedNamespace
  readonly #judge: (subject: Subject) => Judgement
  readonly #onNotes: (account: Account, notes: readonly Note[]) => void
  readonly #entries = new Map<string, Entry>()
  #lookAgainAt = Number.NEGATIVE_INFINITY

  /** @param onNotes told all that is to be said of an account, when that may have changed */
  constructor(
    followed: FollowedNamespace,
    judge: (subject: Subject) => Judgement,
    onNotes: (account: Account, notes: readonly Note[]) => void
  ) {
    this.followed = followed
    this.#judge = judge
    this.#onNotes = onNotes
  }

  /** When to review it, at the latest; milliseconds since the epoch. */
  get lookAgainAt(): number {
    return this.#lookAgainAt
  }

  /** To be called when something changed. */
  changed(): void {
    this.#lookAgainAt = Number.NEGATIVE_INFINITY
  }

  /** Looks at every account. What changes meanwhile is to be told by `changed`. */
  async review(circumstances: Circumstances): Promise<void> {
    this.#lookAgainAt = Number.POSITIVE_INFINITY
    const names = new Set<string>()
    let judged = 0
    let earliest = Number.POSITIVE_INFINITY
    for (const account of this.followed.accounts()) {
      names.add(account.name)
      const before = this.#entries.get(account.name)
      const entry = this.#entryOf(account, before, circumstances)
      earliest = Math.min(earliest, entry.lookAgainAt)
      if (entry === before) continue
      this.#put(entry)
      if (++judged % IN_A_ROW === 0) await new Promise(resolve => setImmediate(resolve))
    }
    for (const [name, { account }] of this.#entries)
      if (!names.has(name)) {
        this.#entries.delete(name)
        this.#onNotes(account, [])
      }
    this.#lookAgainAt = Math.min(this.#lookAgainAt, earliest)
  }

  entry(account: string): Entry | undefined {
    return this.#entries.get(account)
  }

  /** Whether the account and its Secret are as they were when they were judged. */
  isCurrent({ account, secret }: Entry): boolean {
    return this.followed.account(account.name) === account && this.followed.secretOf(account).secret === secret
  }

  /** To be called after an attempt to write for an account. */
  met(attempt: Entry, obstacle: Note | undefined, conflicts = 0): void {
    const entry = this.#entries.get(attempt.account.name)
    if (entry === undefined || entry.account.uid !== attempt.account.uid) return
    this.#put({ ...entry, obstacle, conflicts })
  }

  /** Since when a write for each account has been due. */
  due(): ReadonlyMap<string, number> {
    const due = new Map<string, number>()
    for (const [name, { dueSince }] of this.#entries) if (dueSince !== undefined) due.set(name, dueSince)
    return due
  }

  /** Whether nothing is left to be written but what cannot be. */
  get isSettled(): boolean {
    return ![...this.#entries.values()].some(isWaiting)
  }

  get hasObstacles(): boolean {
    return [...this.#entries.values()].some(({ obstacle }) => obstacle !== undefined)
  }

  get counts(): SecretCounts {
    const counts = { ...NO_SECRETS }
    for (const { judgement, obstacle } of this.#entries.values()) {
      const isLeft = judgement.kind === 'leave' || obstacle?.reason === 'SecretNotOurs'
      counts[isLeft ? 'left' : judgement.kind === 'write' ? 'waiting' : 'right']++
    }
    return counts
  }

  /** What there is to say of each account. */
  states(now: number): readonly AccountState[] {
    return [...this.#entries.values()].map(entry => ({
      name: entry.account.name,
      hasCertificate: hasCertificate(entry, now),
      isWaiting: isWaiting(entry),
      notes: notesOf(entry)
    }))
  }

  #entryOf(account: Account, before: Entry | undefined, { services: all, trust, now }: Circumstances): Entry {
    const { secret, until } = this.followed.secretOf(account)
    const services = all.of(account)
    if (before !== undefined && now < before.lookAgainAt && isSame(before, { account, secret, services, trust }))
      return before
    const judgement = this.#judge({ account, secret, services, trust, now })
    const isWrite = judgement.kind === 'write'
    // What stood in the way of a write may have gone with what there was.
    const isSameWrite =
      isWrite && before !== undefined && before.account.uid === account.uid && before.secret === secret
    const { obstacle, conflicts } = isSameWrite ? before : { obstacle: undefined, conflicts: 0 }
    return {
      account,
      secret,
      services,
      trust,
      judgement,
      lookAgainAt: Math.max(
        now + LOOKS_APART_MS,
        Math.min(until, isWrite ? now + JUDGED_FOR_MS : judgement.lookAgainAt)
      ),
      dueSince: isWrite ? (before?.dueSince ?? Math.min(now, renewalOf(before))) : undefined,
      obstacle,
      conflicts
    }
  }

  #put(entry: Entry): void {
    const { name } = entry.account
    const before = this.#entries.get(name)
    this.#entries.set(name, entry)
    // Another account of the same name is another one to be told of.
    if (before !== undefined && before.account.uid !== entry.account.uid) this.#onNotes(before.account, [])
    const notes = notesOf(entry)
    if (notes.length > 0 || (before !== undefined && notesOf(before).length > 0)) this.#onNotes(entry.account, notes)
  }
}

/** What was known to become due is due since then. */
function renewalOf(before: Entry | undefined): number {
  return before?.judgement.kind === 'right' ? before.judgement.lookAgainAt : Number.POSITIVE_INFINITY
}

function isSame(before: Entry, { account, secret, services, trust }: Omit<Subject, 'now'>): boolean {
  return (
    before.account === account &&
    before.secret === secret &&
    before.trust === trust &&
    before.services.length === services.length &&
    before.services.every((service, index) => service === services[index])
  )
}

const isWaiting = ({ judgement, obstacle }: Entry): boolean => judgement.kind === 'write' && obstacle === undefined

function notesOf({ judgement, obstacle }: Entry): readonly Note[] {
  return obstacle === undefined ? judgement.notes : [...judgement.notes, obstacle]
}

function hasCertificate({ secret }: Entry, now: number): boolean {
  if (secret === undefined || 'problem' in secret.content) return false
  return secret.content.notBefore <= now && now < secret.content.notAfter
}
