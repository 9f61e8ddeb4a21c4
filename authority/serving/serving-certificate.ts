import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { SpiffeId, type TrustDomain } from '../../shared/identity/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import type { ServingCredentials } from '../../shared/rpc/index.ts'
import {
  generateKeyPair,
  type Issuer,
  privateKeyToPem,
  signCertificate,
  spkiOf,
  toPem
} from '../../shared/x509/index.ts'

export interface ServingCertificateOptions {
  readonly issuer: { current(): Issuer }
  readonly trustDomain: TrustDomain
  /** How long each certificate lasts; half of it is when the next one is made. */
  readonly lifetimeMs: number
  readonly clock: Clock
  readonly log: Logger
}

// Clocks of agents may be behind by this much.
const BACKDATED_MS = 60_000
const RETRY_MS = 1_000

/** Issues the authority's own certificate to itself, again and again. */
export class ServingCertificate {
  readonly #options: ServingCertificateOptions
  readonly #log: Logger
  readonly #listeners = new Set<() => void>()
  #current: Issued
  #cancel = (): void => {}

  private constructor(options: ServingCertificateOptions, first: Issued) {
    this.#options = options
    this.#log = options.log.child({ room: 'serving' })
    this.#current = first
    this.#schedule(halfOfLife(first, options.clock.now()))
  }

  /** Resolves once there is a certificate to serve with. */
  static async create(options: ServingCertificateOptions): Promise<ServingCertificate> {
    return new ServingCertificate(options, await issue(options))
  }

  /** Key and chain, PEM; the chain is without the root. */
  current(): ServingCredentials {
    return this.#current.credentials
  }

  /** Calls `listener` after each replacement. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    this.#cancel()
    this.#cancel = () => {}
  }

  #schedule(delayMs: number): void {
    this.#cancel = this.#options.clock.after(delayMs, () => void this.#replace())
  }

  async #replace(): Promise<void> {
    try {
      this.#current = await issue(this.#options)
      this.#log.info({ serial: this.#current.serialNumber }, 'serving certificate replaced')
      this.#schedule(halfOfLife(this.#current, this.#options.clock.now()))
      for (const listener of this.#listeners) listener()
    } catch (thrown) {
      this.#log.error({ err: CountersignError.from(thrown) }, 'serving certificate not replaced, trying again')
      this.#schedule(RETRY_MS)
    }
  }
}

interface Issued {
  readonly credentials: ServingCredentials
  readonly serialNumber: string
  readonly notAfter: number
}

function halfOfLife({ notAfter }: Issued, now: number): number {
  return Math.max(RETRY_MS, (notAfter - now) / 2)
}

async function issue({ issuer, trustDomain, lifetimeMs, clock }: ServingCertificateOptions): Promise<Issued> {
  const { privateKey, publicKey } = await generateKeyPair()
  const signer = issuer.current()
  const now = clock.now()
  const template = {
    usage: 'workload',
    spiffeId: SpiffeId.authority(trustDomain),
    notBefore: now - BACKDATED_MS,
    notAfter: Math.min(now + lifetimeMs, signer.certificate.notAfter)
  } as const
  const leaf = signCertificate(template, spkiOf(publicKey), signer)
  const credentials = { key: privateKeyToPem(privateKey), cert: toPem([leaf, ...signer.chain]) }
  return { credentials, serialNumber: leaf.serialNumber, notAfter: leaf.notAfter }
}
