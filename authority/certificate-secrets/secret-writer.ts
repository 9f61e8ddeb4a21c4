import type { Clock, Random } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { type KubeClient, retryDelayMs } from '../../shared/kube/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import type { Agenda, Turn } from './agenda.ts'
import { consequenceOf } from './consequence.ts'
import type { Entry, Ledger } from './ledger.ts'
import type { Pace } from './pace.ts'
import type { Limits, WriteReason } from './types.ts'
import { type Outcome, type Write, writeSecret } from './write-secret.ts'

export interface SecretWriterOptions {
  readonly client: Pick<KubeClient, 'create' | 'mergePatch'>
  readonly agenda: Agenda
  readonly pace: Pace
  readonly limits: Limits
  readonly observer: { onWritten(reason: WriteReason): void; onWriteFailed(): void }
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly signal: AbortSignal
  /** Whether what was judged still is as it was, and this replica still leads. */
  readonly isWanted: (ledger: Ledger, entry: Entry) => boolean
  /** Called when one has ended. */
  readonly onEnded: () => void
}

/** Keys are made by the four threads that Node.js has for such things: one stays free for files and names. */
const AT_ONCE = 3
/** An RSA key takes as long as hundreds of others, which are not to wait for it. */
const SLOW_AT_ONCE = 2

/** Writes Secrets, a few at a time, never two for one account, and says what became of each. */
export class SecretWriter {
  readonly #options: SecretWriterOptions
  readonly #writing = new Set<Promise<void>>()
  #slow = 0
  /** In a row, by an API server that does not answer. */
  #failures = 0
  /** Namespaces in which something was refused. */
  readonly #troubles = new Set<string>()

  constructor(options: SecretWriterOptions) {
    this.#options = options
  }

  /** Whether it can be begun now. If not, `onEnded` is the time to ask again. */
  accepts(write: Write): boolean {
    return this.#writing.size < AT_ONCE && (!isSlow(write) || this.#slow < SLOW_AT_ONCE)
  }

  start(turn: Turn, ledger: Ledger, entry: Entry, write: Write): void {
    const { agenda, clock, log, onEnded } = this.#options
    agenda.begun(turn)
    const slow = isSlow(write) ? 1 : 0
    this.#slow += slow
    const writing = this.#write(turn, ledger, entry, write)
      .catch((thrown: unknown) => {
        // A mistake of ours: neither the process nor other accounts end with it.
        agenda.ended(turn, 'later', clock.now())
        log.error({ err: CountersignError.from(thrown) }, 'a Secret cannot be looked after, trying again')
      })
      .finally(() => {
        this.#slow -= slow
        this.#writing.delete(writing)
        onEnded()
      })
    this.#writing.add(writing)
  }

  /** Resolves when nothing is being written; to be called when the signal is aborted. */
  async ended(): Promise<void> {
    await Promise.all(this.#writing)
  }

  async #write(turn: Turn, ledger: Ledger, entry: Entry, write: Write): Promise<void> {
    const { agenda, pace, clock, isWanted } = this.#options
    const mayWrite = async (): Promise<boolean> => {
      await pace.turn()
      return isWanted(ledger, entry)
    }
    const outcome = await writeSecret(entry, write, { ...this.#options, turn: mayWrite })
    const { ending, obstacle, conflicts } = consequenceOf(outcome, entry, agenda.failuresOf(turn))
    agenda.ended(turn, ending, clock.now())
    if (outcome.kind === 'written') ledger.followed.wrote(entry.secret, outcome.object)
    ledger.met(entry, obstacle, conflicts)
    ledger.changed()
    this.#report(outcome, ledger, entry, write)
  }

  #report(outcome: Outcome, ledger: Ledger, { account }: Entry, { reason }: Write): void {
    const { log, observer, pace, random } = this.#options
    const { namespace, name } = account
    if (outcome.kind === 'written') {
      this.#failures = 0
      const { certificate, object } = outcome
      const expires = certificate && {
        serialNumber: certificate.serialNumber,
        notAfter: new Date(certificate.notAfter).toISOString()
      }
      observer.onWritten(reason)
      const facts = { account: `${namespace}/${name}`, secret: object.metadata.name, reason, ...expires }
      log.info(facts, 'the Secret of a service account is written')
      if (this.#troubles.has(namespace) && !ledger.hasObstacles) {
        this.#troubles.delete(namespace)
        log.info({ namespace }, 'nothing stands in the way of Secrets any more')
      }
    } else if ('err' in outcome) {
      observer.onWriteFailed()
      // The whole server, and not this Secret: nobody else would be answered either.
      if (outcome.kind === 'unavailable') pace.pause(retryDelayMs(this.#failures++, random, outcome.err))
      if (!this.#troubles.has(namespace))
        log.warn({ account: `${namespace}/${name}`, err: outcome.err }, 'a Secret cannot be written, trying again')
      this.#troubles.add(namespace)
    }
  }
}

const isSlow = ({ wanted }: Write): boolean => wanted.key === 'rsa-2048'
