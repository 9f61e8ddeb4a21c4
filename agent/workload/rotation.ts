import type { Clock, Random } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { SpiffeId } from '../../shared/identity/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { type Certificate, createCertificateRequest, generateKeyPair, renewalTime } from '../../shared/x509/index.ts'
import { checkSuccessor } from './check-successor.ts'
import type { RotationObserver, SvidStore } from './ports.ts'
import { RepeatedProblem } from './repeated-problem.ts'
import { retryDelay } from './retry-delay.ts'
import { expiryOf, isExpired, type Svid } from './svid.ts'

/** One try to be given a certificate. */
export interface RotationRequest {
  /** PKCS#10, DER, of a key that was made for this try. */
  readonly csr: Buffer
  /** What there is, expired or not. */
  readonly current: Svid | undefined
  /** Whether `current` is worth something as a proof: neither expired nor without a root that is trusted. */
  readonly sound: boolean
  readonly signal: AbortSignal
}

export interface RotationOptions {
  readonly spiffeId: SpiffeId
  readonly store: SvidStore
  /** Asks the authority, by whatever proof is best. */
  readonly request: (request: RotationRequest) => Promise<readonly Certificate[]>
  /** Throws when a chain leads to no root that is trusted; does nothing while none is known. */
  readonly verify: (chain: readonly Certificate[]) => void
  /** Life that is asked for; bounds the pauses between tries before there is a certificate. */
  readonly lifetimeMs: number | undefined
  readonly onChange: () => void
  readonly observer: RotationObserver
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

type State =
  | { readonly kind: 'idle' }
  /** Until the time to renew, or to try again after `failures` tries that failed. */
  | { readonly kind: 'waiting'; readonly cancel: () => void }
  | { readonly kind: 'requesting'; readonly abort: AbortController }

interface Held {
  readonly svid: Svid
  /** When to renew, in milliseconds since the epoch; drawn once. */
  readonly renewAt: number
}

const DEFAULT_LIFETIME_MS = 86_400_000
/** A clock that is far off makes a fresh certificate look nearly expired: then this is how often it is renewed. */
const SHORTEST_LIFE_MS = 2_000
/** Of its life: by how much the time may lie before that at which the certificate came. */
const CLOCK_TOLERANCE = 1 / 20

/**
 * Keeps one SVID current, from the first request on: asks again until there is one, renews it at about half of its
 * life, keeps it until its successor is verified and stored. An expired one is kept too: it says who the pod is,
 * and peers see for themselves that it has expired.
 */
export class Rotation {
  readonly #options: RotationOptions
  readonly #problem: RepeatedProblem
  #state: State = { kind: 'idle' }
  #held: Held | undefined
  #trusted = true
  #failures = 0
  #saidExpired = false

  constructor(options: RotationOptions) {
    this.#options = options
    this.#problem = new RepeatedProblem(options.clock)
  }

  current(): Svid | undefined {
    return this.#held?.svid
  }

  /** Whether a request is under way. */
  get requesting(): boolean {
    return this.#state.kind === 'requesting'
  }

  /** Takes up what was stored, where it is still valid, and asks for what is missing. */
  start(): void {
    const stored = this.#options.store.load()
    if (stored !== undefined && this.#isUsable(stored)) {
      this.#hold(stored)
      this.#options.onChange()
      this.recheck()
    }
    this.#waitForRenewal()
  }

  /** What is stored stays; `forget` of the store is for whoever knows that it is not needed any more. */
  stop(): void {
    const state = this.#state
    this.#state = { kind: 'idle' }
    if (state.kind === 'waiting') state.cancel()
    if (state.kind === 'requesting') state.abort.abort(new Error('no longer wanted'))
  }

  /** Something has changed that may make the next try succeed, so one that failed is made again soon. */
  hurry(): void {
    if (this.#failures > 0 && this.#state.kind === 'waiting') this.#wait(this.#retryDelay(1))
  }

  /** The trusted roots have changed: a certificate that leads to none of them is renewed soon, though it is valid. */
  recheck(): void {
    const { clock, log, verify, spiffeId } = this.#options
    if (this.#held === undefined || isExpired(this.#held.svid, clock.now())) return
    const trusted = isAccepted(verify, this.#held.svid.chain)
    const lost = this.#trusted && !trusted
    this.#trusted = trusted
    if (!lost) return
    log.warn({ spiffeId }, 'certificate leads to no trusted root; it is renewed')
    this.renewSoon()
  }

  /** There is doubt that the certificate is still accepted; it is renewed though its time has not come. */
  renewSoon(): void {
    if (this.#held === undefined || this.#failures > 0) return
    // Every pod of every node finds out at the same moment.
    const delayMs = this.#retryDelay(Number.POSITIVE_INFINITY)
    this.#held = { ...this.#held, renewAt: Math.min(this.#held.renewAt, this.#options.clock.now() + delayMs) }
    if (this.#state.kind === 'waiting') this.#wait(delayMs)
  }

  #isUsable(stored: Svid): boolean {
    return stored.spiffeId.equals(this.#options.spiffeId) && !isExpired(stored, this.#options.clock.now())
  }

  #hold(svid: Svid): void {
    const life = { issuedAt: svid.issuedAt, notAfter: Math.max(expiryOf(svid), svid.issuedAt + SHORTEST_LIFE_MS) }
    this.#held = { svid, renewAt: renewalTime(life, this.#options.random) }
    this.#trusted = true
    this.#failures = 0
    this.#saidExpired = false
  }

  #waitForRenewal(): void {
    if (this.#held === undefined || this.#isDue(this.#held)) this.#begin()
    else this.#wait(this.#held.renewAt - this.#options.clock.now())
  }

  // Compared with the wall clock whenever a timer ends. A clock that was set back to before the certificate came would
  // put its renewal off by as much; the successor is counted from the new time.
  #isDue({ svid, renewAt }: Held): boolean {
    const now = this.#options.clock.now()
    return now >= renewAt || now < svid.issuedAt - this.#lifetimeMs() * CLOCK_TOLERANCE
  }

  #wait(delayMs: number): void {
    if (this.#state.kind === 'waiting') this.#state.cancel()
    const cancel = this.#options.clock.after(delayMs, () =>
      this.#failures > 0 ? this.#begin() : this.#waitForRenewal()
    )
    this.#state = { kind: 'waiting', cancel }
  }

  #begin(): void {
    const abort = new AbortController()
    this.#state = { kind: 'requesting', abort }
    const startedAt = this.#options.clock.now()
    this.#obtain(abort.signal).then(
      svid => {
        if (!abort.signal.aborted) this.#succeeded(svid, startedAt)
      },
      (thrown: unknown) => {
        if (!abort.signal.aborted) this.#failed(CountersignError.from(thrown))
      }
    )
  }

  async #obtain(signal: AbortSignal): Promise<Svid> {
    const { spiffeId, clock, verify, request } = this.#options
    const keyPair = await generateKeyPair()
    const current = this.#held?.svid
    const sound = current !== undefined && this.#trusted && !isExpired(current, clock.now())
    const chain = await request({ csr: createCertificateRequest(keyPair, spiffeId), current, sound, signal })
    checkSuccessor(chain, { spiffeId, publicKey: keyPair.publicKey, now: clock.now(), verify })
    return Object.freeze({ spiffeId, chain, privateKey: keyPair.privateKey, issuedAt: clock.now() })
  }

  #succeeded(svid: Svid, startedAt: number): void {
    const { store, log, spiffeId, clock, observer, onChange } = this.#options
    this.#hold(svid)
    try {
      store.save(svid)
    } catch (err) {
      // Memory is enough to serve from; only a restart would miss it.
      log.error({ err, spiffeId }, 'certificate cannot be stored; it is served all the same')
    }
    const facts = {
      spiffeId,
      serialNumber: svid.chain[0]?.serialNumber,
      expiresAt: new Date(expiryOf(svid)).toISOString()
    }
    const solved = this.#problem.solved()
    log.info(solved === undefined ? facts : { ...facts, after: solved }, 'certificate issued')
    observer.issued(Math.max(0, clock.now() - startedAt))
    this.#state = { kind: 'idle' }
    this.#waitForRenewal()
    onChange()
  }

  #failed(err: CountersignError): void {
    const { log, spiffeId, observer, clock } = this.#options
    this.#failures += 1
    observer.failed(err.code)
    const svid = this.#held?.svid
    const expired = svid !== undefined && isExpired(svid, clock.now())
    const saying = this.#problem.occurred(`${err.code} ${err.message}`)
    const facts = { err, spiffeId, ...saying, expiresAt: svid && new Date(expiryOf(svid)).toISOString() }
    if (expired && !this.#saidExpired) log.error(facts, 'certificate has expired; it is kept until there is another')
    else if (saying !== undefined && (expired || svid === undefined))
      log.error(facts, 'no valid certificate; it is asked for again')
    else if (saying !== undefined) log.warn(facts, 'certificate not renewed; it is tried again')
    this.#saidExpired = expired
    this.#state = { kind: 'idle' }
    this.#wait(this.#retryDelay(this.#failures))
  }

  #retryDelay(failures: number): number {
    return retryDelay(failures, this.#lifetimeMs(), this.#options.random)
  }

  #lifetimeMs(): number {
    const svid = this.#held?.svid
    return svid === undefined ? (this.#options.lifetimeMs ?? DEFAULT_LIFETIME_MS) : expiryOf(svid) - svid.issuedAt
  }
}

function isAccepted(verify: (chain: readonly Certificate[]) => void, chain: readonly Certificate[]): boolean {
  try {
    verify(chain)
    return true
  } catch {
    return false
  }
}
