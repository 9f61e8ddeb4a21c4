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

export interface OwnCertificateOptions {
  /** Names under which clients reach the server; at least one. */
  readonly dnsNames: readonly string[]
  /** Life of a certificate in milliseconds; it is replaced when two thirds are over. A root lives 30 times as long. */
  readonly lifetimeMs: number
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

/**
 * A serving certificate signed by a certificate authority of its own, which nobody but the clients of this server
 * needs to know. Keys never leave the memory of the process: another process has other roots, and other bundles.
 */
export class OwnCertificate implements ServingCertificateSource {
  readonly #options: OwnCertificateOptions
  readonly #listeners = new Set<() => void>()
  #state: State<Root> = { roots: [], serving: undefined }
  #current: ServingCertificate | undefined
  #cancel: () => void = () => undefined
  #closed = false

  private constructor(options: OwnCertificateOptions) {
    this.#options = options
  }

  /** Makes the first root and the first certificate, and replaces them from then on. */
  static async create(options: OwnCertificateOptions): Promise<OwnCertificate> {
    if (options.dnsNames.length === 0) throw new TypeError('a serving certificate needs at least one DNS name')
    const own = new OwnCertificate(options)
    await own.#step()
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

  #schedule(delayMs = nextWakeUp(this.#state, this.#options.lifetimeMs) - this.#options.clock.now()): void {
    if (this.#closed) return
    this.#cancel = this.#options.clock.after(Math.max(0, delayMs), () => void this.#wakeUp())
  }

  async #wakeUp(): Promise<void> {
    try {
      await this.#step()
      this.#schedule()
    } catch (thrown) {
      // The certificate that is in use stays in use.
      this.#options.log.error({ err: CountersignError.from(thrown) }, 'the serving certificate was not replaced')
      this.#schedule(RETRY_MS)
    }
  }

  async #step(): Promise<void> {
    const { clock, lifetimeMs, log } = this.#options
    const now = clock.now()
    const plan = planCertificates(this.#state, now, lifetimeMs)
    const made = plan.makeRoot ? await this.#makeRoot(now) : undefined
    const roots = made === undefined ? plan.keep : [...plan.keep, made]
    const signer = plan.signer ?? made
    if (signer === undefined) throw new TypeError('BUG: a plan without a signer')
    const serving = plan.makeServing ? await this.#makeServing(signer, now) : undefined
    if (this.#closed) return
    const { current, times } = serving ?? { current: this.current(), times: this.#state.serving }
    this.#state = { roots, serving: times }
    this.#current = Object.freeze({ ...current, caBundle: toPem(roots.map(({ issuer }) => issuer.certificate)) })
    const { serialNumber, notAfter } = this.#current
    log.info({ serialNumber, notAfter: new Date(notAfter).toISOString(), roots: roots.length }, 'serving certificate')
    for (const listener of this.#listeners) listener()
  }

  async #makeRoot(now: number): Promise<Root> {
    const notAfter = now + rootLifetime(this.#options.lifetimeMs)
    // The time tells the roots of a bundle apart, for people.
    const commonName = `Countersign webhook authority ${new Date(now).toISOString()}`
    const issuer = await createRoot({ commonName, notBefore: now - BACKDATED_MS, notAfter })
    return { issuer, createdAt: now, notAfter: issuer.certificate.notAfter }
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

interface Made {
  readonly current: Omit<ServingCertificate, 'caBundle'>
  readonly times: NonNullable<State<Root>['serving']>
}
