import { type Client, connectivityState } from '@grpc/grpc-js'
import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { TrustBundle } from '../../shared/x509/index.ts'
import type { Svid } from '../workload/index.ts'
import { type AuthorityEndpoint, CALL_TIMEOUT_MS, connectAuthority } from './authority-client.ts'

export interface AuthorityChannelOptions {
  readonly endpoint: AuthorityEndpoint
  /** The agent's own SVID, by which it authenticates. */
  readonly identity: () => Svid | undefined
  readonly clock: Clock
}

interface Channel {
  readonly client: Client
  readonly identity: Svid
  readonly bundle: TrustBundle
  /** Since when it may be connecting, in milliseconds since the epoch. */
  connectingSince: number | undefined
}

/** The mutually authenticated connection to the authority, replaced whenever the agent's SVID or the roots change. */
export class AuthorityChannel {
  readonly #options: AuthorityChannelOptions
  readonly #listeners = new Set<() => void>()
  #channel: Channel | undefined

  constructor(options: AuthorityChannelOptions) {
    this.#options = options
  }

  /** To be called when the SVID or the roots may have changed; does nothing when they have not. */
  refresh(): void {
    const identity = this.#options.identity()
    const bundle = this.#options.endpoint.trust.authorityBundle()
    if (identity === undefined || bundle === undefined) return
    const old = this.#channel
    if (old !== undefined && old.identity === identity && isSame(old.bundle, bundle)) return
    const client = connectAuthority(this.#options.endpoint, identity)
    this.#channel = { client, identity, bundle, connectingSince: undefined }
    // Calls that are under way come to their end: closing only keeps new ones off.
    old?.client.close()
    for (const listener of [...this.#listeners]) listener()
  }

  /** A client of its own for a stream: closed with it, and with the credentials of this moment. */
  connect(): Client {
    const identity = this.#options.identity()
    if (identity === undefined) throw noIdentity()
    return connectAuthority(this.#options.endpoint, identity)
  }

  /**
   * The client for calls, as soon as the agent has its own SVID. Not to be kept: it is closed when it is replaced.
   *
   * @throws CountersignError ERR_AUTHORITY_UNAVAILABLE when it has none within the time of a call
   */
  async client(signal: AbortSignal): Promise<Client> {
    if (this.#channel === undefined) await this.#replaced(signal)
    if (this.#channel === undefined) throw noIdentity()
    return this.#unstalled(this.#channel).client
  }

  /** Calls `listener` after the channel was made or replaced. */
  subscribe(listener: () => void): () => void {
    const own = (): void => listener()
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  close(): void {
    this.#channel?.client.close()
    this.#channel = undefined
    this.#listeners.clear()
  }

  // grpc-js has no limit for connecting, and the kernel's is two minutes: where the pod behind the Service is just gone,
  // nobody answers at all, and another attempt finds another pod.
  #unstalled(channel: Channel): Channel {
    const now = this.#options.clock.now()
    switch (channel.client.getChannel().getConnectivityState(true)) {
      case connectivityState.READY:
      case connectivityState.TRANSIENT_FAILURE:
        channel.connectingSince = undefined
        return channel
      case connectivityState.CONNECTING:
        channel.connectingSince ??= now
        if (now - channel.connectingSince < CALL_TIMEOUT_MS) return channel
        channel.client.close()
        this.#channel = { ...channel, client: this.connect(), connectingSince: now }
        return this.#channel
      default:
        channel.connectingSince = now
        return channel
    }
  }

  #replaced(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void) => (): void => {
        unsubscribe()
        cancel()
        signal.removeEventListener('abort', abort)
        settle()
      }
      const abort = finish(() => reject(signal.reason))
      const unsubscribe = this.subscribe(finish(resolve))
      const cancel = this.#options.clock.after(CALL_TIMEOUT_MS, finish(resolve))
      signal.addEventListener('abort', abort, { once: true })
    })
  }
}

function noIdentity(): CountersignError {
  return new CountersignError('ERR_AUTHORITY_UNAVAILABLE', 'the agent has no certificate of its own yet')
}

function isSame(a: TrustBundle, b: TrustBundle): boolean {
  return a.roots.length === b.roots.length && a.roots.every(({ der }, index) => b.roots[index]?.der.equals(der))
}
