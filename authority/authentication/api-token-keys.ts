import type { JSONWebKeySet } from 'jose'
import { z } from 'zod'
import type { Clock } from '../../shared/clock/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import type { KubeClient } from '../../shared/kube/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import { TokenBucket } from '../../shared/rate/index.ts'
import { parseKeySet, REFRESH_BURST, REFRESH_INTERVAL_MS } from './key-set.ts'
import type { TokenKeys } from './pod-token.ts'

export interface ApiTokenKeysOptions {
  readonly client: Pick<KubeClient, 'getText'>
  /** What the `iss` of tokens must be; undefined: what the API server says that it is. */
  readonly issuer: string | undefined
  readonly clock: Clock
  readonly log: Logger
}

// Kubernetes, "Service account issuer discovery".
const KEYS = '/openid/v1/jwks'
const DISCOVERY = '/.well-known/openid-configuration'
const discovery = z.object({ issuer: z.string().min(1) })

/** A key that is taken away stays believed for so long at most; one that is new is looked for when a token names it. */
const LOOK_AGAIN_MS = 300_000

interface Known {
  readonly issuer: string
  readonly text: string
  readonly keys: JSONWebKeySet
}

/** Token keys, and the issuer, from the API server itself. The last good ones stay while it does not answer. */
export class ApiTokenKeys implements TokenKeys {
  readonly #options: ApiTokenKeysOptions
  readonly #log: Logger
  readonly #budget: TokenBucket
  #known: Known
  #asking: Promise<void> | undefined
  #cancel = (): void => {}
  #closed = false

  private constructor(options: ApiTokenKeysOptions, known: Known) {
    this.#options = options
    this.#log = options.log.child({ room: 'authentication' })
    this.#budget = new TokenBucket(REFRESH_BURST, REFRESH_INTERVAL_MS, options.clock)
    this.#known = known
    this.#lookAgain()
  }

  /** @throws CountersignError ERR_KUBERNETES_… when the API server does not answer, or not with keys */
  static async open(options: ApiTokenKeysOptions): Promise<ApiTokenKeys> {
    return new ApiTokenKeys(options, await ask(options))
  }

  current(): JSONWebKeySet {
    return this.#known.keys
  }

  /** Accepted values of `iss`. */
  get issuers(): readonly string[] {
    return [this.#known.issuer]
  }

  async refresh(): Promise<void> {
    // Whoever comes while an answer is awaited gets that one, and costs nothing.
    if (this.#asking !== undefined || this.#budget.take()) await this.#ask()
  }

  close(): void {
    this.#closed = true
    this.#cancel()
  }

  #lookAgain(): void {
    if (this.#closed) return
    this.#cancel = this.#options.clock.after(LOOK_AGAIN_MS, () => void this.#ask().then(() => this.#lookAgain()))
  }

  #ask(): Promise<void> {
    this.#asking ??= this.#replace().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #replace(): Promise<void> {
    try {
      const found = await ask(this.#options)
      // The same object while nothing changes: keys that were imported are kept by it.
      if (found.text === this.#known.text && found.issuer === this.#known.issuer) return
      this.#known = found
      this.#log.info({ issuer: found.issuer, keys: found.keys.keys.length }, 'token keys replaced')
    } catch (thrown) {
      this.#log.warn({ err: CountersignError.from(thrown) }, 'token keys cannot be read, keeping the last ones')
    }
  }
}

async function ask({ client, issuer }: ApiTokenKeysOptions): Promise<Known> {
  const [text, found] = await Promise.all([client.getText(KEYS), issuer ?? discoverIssuer(client)])
  return { issuer: found, text, keys: asKubernetesError(KEYS, () => parseKeySet(text, `token keys at ${KEYS}`)) }
}

async function discoverIssuer(client: ApiTokenKeysOptions['client']): Promise<string> {
  const text = await client.getText(DISCOVERY)
  return asKubernetesError(DISCOVERY, () => discovery.parse(JSON.parse(text)).issuer)
}

/** What the API server answers while it is not itself is worth another try. */
function asKubernetesError<T>(path: string, read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    const message = `GET ${path}: expected what Kubernetes serves there`
    throw new CountersignError('ERR_KUBERNETES_UNAVAILABLE', message, { cause: thrown })
  }
}
