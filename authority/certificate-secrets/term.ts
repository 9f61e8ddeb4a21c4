import { sleep } from '../../shared/clock/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { Agenda, type Turn } from './agenda.ts'
import type { CertificateSecretsOptions } from './certificate-secrets.ts'
import { FollowedNamespace } from './followed-namespace.ts'
import { judge } from './judge.ts'
import { Ledger, NO_SECRETS, type SecretCounts } from './ledger.ts'
import { type ChosenNamespaces, chosenNamespaces } from './namespaces.ts'
import { Pace } from './pace.ts'
import { readinessCondition } from './readiness-condition.ts'
import { SecretWriter } from './secret-writer.ts'
import { ServicesByAccount } from './services-by-account.ts'
import { Teller } from './teller.ts'

/** 20 writes a second at most, and as many namespaces taken up. */
const PACE_MS = 50
const LONGEST_REST_MS = 3_600_000

/** One time of leading, from what is there to what shall be: nothing of an earlier one is known. */
export class Term {
  readonly #options: CertificateSecretsOptions
  readonly #log: Logger
  readonly #end = new AbortController()
  readonly #signal: AbortSignal
  readonly #agenda = new Agenda()
  readonly #teller: Teller
  readonly #writer: SecretWriter
  readonly #ledgers = new Map<string, Ledger>()
  readonly #closing = new Set<Promise<void>>()
  #chosen: ChosenNamespaces = { served: [], unlisted: [], unlabelled: [] }
  #services = new ServicesByAccount([])
  /** Of which inventory all that is. */
  #seen: { readonly namespaces: unknown; readonly services: unknown } = { namespaces: undefined, services: undefined }
  #tookUpAt = Number.NEGATIVE_INFINITY
  /** Aborted to end a rest. */
  #bell = new AbortController()

  /** @param over aborted when this replica leads no more */
  constructor(options: CertificateSecretsOptions, log: Logger, over: AbortSignal) {
    const { clock, surroundings } = options
    this.#options = options
    this.#log = log
    this.#signal = AbortSignal.any([over, this.#end.signal])
    const tools = { ...options, log, pace: new Pace(clock, PACE_MS, this.#signal) }
    this.#teller = new Teller({ ...tools, goesOn: () => this.#goesOn })
    this.#writer = new SecretWriter({
      ...tools,
      agenda: this.#agenda,
      limits: surroundings.limits,
      signal: this.#signal,
      isWanted: (ledger, entry) =>
        this.#goesOn &&
        this.#ledgers.get(entry.account.namespace) === ledger &&
        entry.trust === options.trust.current() &&
        ledger.isCurrent(entry),
      onEnded: () => this.wake()
    })
  }

  async run(): Promise<void> {
    const telling = this.#teller.run(this.#signal)
    try {
      while (this.#goesOn) {
        this.#bell = new AbortController()
        this.#lookAround()
        this.#takeUp()
        await this.#review()
        const restMs = this.#startWrite()
        if (restMs > 0) await this.#rest(restMs)
      }
    } finally {
      this.#end.abort(new Error('this replica leads no more'))
      for (const name of [...this.#ledgers.keys()]) this.#letGo(name)
      await Promise.all([telling, this.#writer.ended(), ...this.#closing])
      this.#options.observer.onSecrets(NO_SECRETS)
    }
  }

  /** To be called when something changed. */
  wake(): void {
    this.#bell.abort()
  }

  /** What is trusted changed: every judgement rests on it. */
  trustChanged(): void {
    for (const ledger of this.#ledgers.values()) ledger.changed()
    this.wake()
  }

  get #goesOn(): boolean {
    return !this.#signal.aborted && this.#options.leadership.isLeader
  }

  #lookAround(): void {
    const { mesh, namespaces: list, systemNamespace } = this.#options
    const { namespaces, services } = mesh.current()
    if (services !== this.#seen.services) {
      this.#services = new ServicesByAccount(services)
      for (const ledger of this.#ledgers.values()) ledger.changed()
    }
    if (namespaces !== this.#seen.namespaces) this.#choose(chosenNamespaces(namespaces, list, systemNamespace))
    this.#seen = { namespaces, services }
  }

  #choose(chosen: ChosenNamespaces): void {
    const before = this.#chosen
    this.#chosen = chosen
    for (const namespace of chosen.unlisted)
      if (!before.unlisted.includes(namespace))
        this.#log.warn(
          { namespace, change: 'certificateSecrets.namespaces' },
          'a namespace asks for Secrets with certificates and is not in the list of the chart that allows them'
        )
    const served = new Set(chosen.served)
    for (const name of [...this.#ledgers.keys()]) if (!served.has(name)) this.#letGo(name)
    const there = new Set(this.#options.mesh.current().namespaces.map(({ name }) => name))
    for (const name of before.served)
      if (!there.has(name)) this.#teller.drop(name)
      else if (!served.has(name)) this.#teller.changed(name, undefined, true)
    for (const name of chosen.unlabelled)
      if (!before.unlabelled.includes(name)) this.#teller.changed(name, undefined, true)
    for (const name of before.unlabelled) if (!there.has(name)) this.#teller.drop(name)
  }

  /** One namespace, if it is time: a thousand are not listed at once. */
  #takeUp(): void {
    const { clock } = this.#options
    const name = this.#chosen.served.find(served => !this.#ledgers.has(served))
    if (name === undefined || this.#untilTakeUp() > 0) return
    this.#tookUpAt = clock.now()
    const options = { ...this.#options, log: this.#log }
    const followed = new FollowedNamespace(name, options, () => {
      ledger.changed()
      this.wake()
    })
    const ledger = new Ledger(
      followed,
      subject => judge(subject, this.#options.surroundings),
      (account, notes) => this.#teller.tell(account, notes)
    )
    this.#ledgers.set(name, ledger)
  }

  #untilTakeUp(): number {
    if (this.#ledgers.size === this.#chosen.served.length) return Number.POSITIVE_INFINITY
    const left = this.#tookUpAt + PACE_MS - this.#options.clock.now()
    return left > PACE_MS ? 0 : left
  }

  #letGo(name: string): void {
    const closing = this.#ledgers.get(name)?.followed.close()
    this.#ledgers.delete(name)
    this.#agenda.drop(name)
    if (closing === undefined) return
    const done = closing.finally(() => this.#closing.delete(done))
    this.#closing.add(done)
  }

  /** Brings every judgement up to date that something changed for, or time. */
  async #review(): Promise<void> {
    const { clock, trust } = this.#options
    let reviewed = false
    for (const [name, ledger] of [...this.#ledgers]) {
      const now = clock.now()
      if (!ledger.followed.isSynced || ledger.lookAgainAt > now) continue
      reviewed = true
      await ledger.review({ services: this.#services, trust: trust.current(), now })
      if (this.#ledgers.get(name) !== ledger) continue
      this.#agenda.set(name, ledger.due(), now)
      this.#teller.changed(name, () => readinessCondition(ledger.states(clock.now())), ledger.isSettled)
    }
    if (reviewed) this.#options.observer.onSecrets(sumOf([...this.#ledgers.values()].map(({ counts }) => counts)))
  }

  /** Starts what is due, or says for how long there is nothing to do. */
  #startWrite(): number {
    const now = this.#options.clock.now()
    const looks = [...this.#ledgers.values()].filter(({ followed }) => followed.isSynced)
    const lookInMs = Math.min(...looks.map(({ lookAgainAt }) => lookAgainAt - now), this.#untilTakeUp())
    if (lookInMs <= 0) return lookInMs
    const { turn, inMs } = this.#agenda.next(now, one => {
      const write = this.#due(one)?.write
      return write !== undefined && this.#writer.accepts(write)
    })
    if (turn === undefined) return Math.min(inMs, lookInMs)
    const due = this.#due(turn)
    if (due !== undefined) this.#writer.start(turn, due.ledger, due.entry, due.write)
    return 0
  }

  #due({ namespace, account }: Turn) {
    const ledger = this.#ledgers.get(namespace)
    const entry = ledger?.entry(account)
    if (ledger === undefined || entry?.judgement.kind !== 'write') return undefined
    return { ledger, entry, write: entry.judgement }
  }

  async #rest(ms: number): Promise<void> {
    const either = AbortSignal.any([this.#signal, this.#bell.signal])
    await sleep(this.#options.clock, Math.min(ms, LONGEST_REST_MS), either).catch(() => {})
  }
}

function sumOf(all: readonly SecretCounts[]): SecretCounts {
  const sum = { ...NO_SECRETS }
  for (const counts of all) for (const state of ['right', 'waiting', 'left'] as const) sum[state] += counts[state]
  return sum
}
