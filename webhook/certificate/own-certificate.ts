import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { type Logger, Sensitive } from '../../shared/log/index.ts'
import {
  createRoot,
  generateKeyPair,
  type Issuer,
  privateKeyToPem,
  signCertificate,
  spkiOf,
  toPem
} from '../../shared/x509/index.ts'
import { nextWakeUp, planCertificates, rootLifetime, type State } from './plan.ts'
import type { ServingCertificate, ServingCertificateSource } from './serving-certificate.ts'
import type { SharedRoots, StoredRoot } from './shared-roots.ts'

export interface OwnCertificateOptions {
  /** Names under which clients reach the server; at least one. */
  readonly dnsNames: readonly string[]
  /** Life of a certificate in milliseconds; it is replaced when two thirds are over. A root lives 30 times as long. */
  readonly lifetimeMs: number
  /** Where the roots are that all replicas sign with; absent: they are this process's own. */
  readonly shared?: SharedRoots
  readonly clock: Clock
  readonly log: Logger
}

interface Root {
  readonly issuer: Issuer
  readonly createdAt: number
  readonly notAfter: number
}

// Clocks differ. A client whose clock is this much behind accepts a certificate that was made just now.
const BACKDATED_MS = 120_000

const RETRY_MS = 60_000

/** What another replica made is found after so long at the latest. */
const LOOK_AGAIN_MS = 600_000

/**
 * A serving certificate signed by a certificate authority of its own, which nobody but the clients of this server
 * needs to know. Without shared roots no key leaves the memory of the process, and another process has other roots;
 * with them, every replica serves with a key of its own, signed by roots that all of them publish.
 */
export class OwnCertificate implements ServingCertificateSource {
  readonly #options: OwnCertificateOptions
  readonly #listeners = new Set<() => void>()
  #state: State<Root> = { roots: [], serving: undefined }
  #current: ServingCertificate | undefined
  #cancel: () => void = () => undefined
  #closed = false
  #queue: Promise<unknown> = Promise.resolve()

  private constructor(options: OwnCertificateOptions) {
    this.#options = options
  }

  /** Makes the first root and the first certificate, and replaces them from then on. */
  static async create(options: OwnCertificateOptions): Promise<OwnCertificate> {
    if (options.dnsNames.length === 0) throw new TypeError('a serving certificate needs at least one DNS name')
    const own = new OwnCertificate(options)
    await own.refresh()
    own.#schedule()
    return own
  }

  current(): ServingCertificate {
    if (this.#current === undefined) throw new TypeError('BUG: a certificate is asked for before there is one')
    return this.#current
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#closed = true
    this.#cancel()
  }

  /** Looks now for what other replicas made. Resolves once `current()` is as new as the shared roots are. */
  refresh(): Promise<void> {
    const step = this.#queue.then(() => (this.#closed ? undefined : this.#step()))
    // One step after another, and a failure is told to whoever asked for that step.
    this.#queue = step.catch(() => undefined)
    return step
  }

  #schedule(delayMs = nextWakeUp(this.#state, this.#options.lifetimeMs) - this.#options.clock.now()): void {
    if (this.#closed) return
    const longestMs = this.#options.shared === undefined ? Number.POSITIVE_INFINITY : LOOK_AGAIN_MS
    this.#cancel = this.#options.clock.after(Math.max(0, Math.min(delayMs, longestMs)), () => void this.#wakeUp())
  }

  async #wakeUp(): Promise<void> {
    try {
      await this.refresh()
      this.#schedule()
    } catch (thrown) {
      // The certificate that is in use stays in use.
      this.#options.log.error({ err: CountersignError.from(thrown) }, 'the serving certificate was not replaced')
      this.#schedule(RETRY_MS)
    }
  }

  async #step(): Promise<void> {
    const { clock, log } = this.#options
    const now = clock.now()
    const { roots, signer, makeServing } = await this.#settleRoots(now)
    const serving = makeServing ? await this.#makeServing(signer, now) : undefined
    if (this.#closed) return
    const { current, times } = serving ?? { current: this.current(), times: this.#state.serving }
    const caBundle = toPem(roots.map(({ issuer }) => issuer.certificate))
    this.#state = { roots, serving: times }
    if (serving === undefined && caBundle === this.#current?.caBundle) return
    this.#current = Object.freeze({ ...current, caBundle })
    const { serialNumber, notAfter } = this.#current
    log.info({ serialNumber, notAfter: new Date(notAfter).toISOString(), roots: roots.length }, 'serving certificate')
    for (const listener of this.#listeners) listener()
  }

  /** The roots as they shall be, stored before anything is signed by them or published of them. */
  async #settleRoots(now: number): Promise<Settled> {
    const { shared, lifetimeMs } = this.#options
    for (;;) {
      const stored = await shared?.load()
      const known = stored === undefined ? this.#state.roots : this.#adopt(stored.roots)
      const plan = planCertificates({ roots: known, serving: this.#state.serving }, now, lifetimeMs)
      const made = plan.makeRoot ? await this.#makeRoot(now) : undefined
      const roots = made === undefined ? plan.keep : [...plan.keep, made]
      const signer = plan.signer ?? made
      if (signer === undefined) throw new TypeError('BUG: a plan without a signer')
      const settled = { roots, signer, makeServing: plan.makeServing }
      if (shared === undefined || stored === undefined || sameRoots(roots, stored.roots)) return settled
      if (await shared.save(roots.map(storedOf), stored.version)) return settled
      // Another replica was first; what it made is as good.
    }
  }

  /** Roots out of the store, as the objects that are already known where they are the same. */
  #adopt(stored: readonly StoredRoot[]): readonly Root[] {
    // Nothing there: somebody has removed it, and what is in use is put back.
    if (stored.length === 0) return this.#state.roots
    const known = new Map(this.#state.roots.map(root => [root.issuer.certificate.serialNumber, root]))
    return stored.map(root => known.get(root.certificate.serialNumber) ?? rootOf({ ...root, chain: [] }))
  }

  async #makeRoot(now: number): Promise<Root> {
    const notAfter = now + rootLifetime(this.#options.lifetimeMs)
    // The time tells the roots of a bundle apart, for people.
    const commonName = `Countersign webhook authority ${new Date(now).toISOString()}`
    return rootOf(await createRoot({ commonName, notBefore: now - BACKDATED_MS, notAfter }))
  }

  async #makeServing(signer: Root, now: number): Promise<Made> {
    const { dnsNames, lifetimeMs } = this.#options
    const { publicKey, privateKey } = await generateKeyPair()
    const notAfter = Math.min(now + lifetimeMs, signer.notAfter)
    const template = { dnsNames, notBefore: now - BACKDATED_MS, notAfter, usage: 'workload' } as const
    const certificate = signCertificate(template, spkiOf(publicKey), signer.issuer)
    return {
      times: { createdAt: now, notAfter: certificate.notAfter, signer },
      current: {
        certificate: toPem([certificate]),
        privateKey: new Sensitive(privateKeyToPem(privateKey)),
        serialNumber: certificate.serialNumber,
        notAfter: certificate.notAfter
      }
    }
  }
}

/** Its certificate says when it was made, to everybody who has it. */
function rootOf(issuer: Issuer): Root {
  const { notBefore, notAfter } = issuer.certificate
  return { issuer, createdAt: notBefore + BACKDATED_MS, notAfter }
}

const storedOf = ({ issuer }: Root): StoredRoot => ({ certificate: issuer.certificate, privateKey: issuer.privateKey })

function sameRoots(roots: readonly Root[], stored: readonly StoredRoot[]): boolean {
  const serials = roots.map(({ issuer }) => issuer.certificate.serialNumber)
  return serials.join() === stored.map(({ certificate }) => certificate.serialNumber).join()
}

interface Settled {
  readonly roots: readonly Root[]
  readonly signer: Root
  readonly makeServing: boolean
}

interface Made {
  readonly current: Omit<ServingCertificate, 'caBundle'>
  readonly times: NonNullable<State<Root>['serving']>
}
