import type { Clock, Random } from '../../shared/clock/index.ts'
import { type Logger, Sensitive } from '../../shared/log/index.ts'
import type { EndUserAuthentication } from '../../shared/policy/index.ts'
import { FollowedSecret } from './followed-secret.ts'
import type { LoginSecretState } from './login-secret-state.ts'
import { clientSecretProblem, loginSecretValue } from './login-secret-value.ts'
import { nameOf, type SecretPlace, type SecretStore } from './secret-store.ts'

export interface LoginSecretsOptions {
  readonly store: SecretStore
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

interface Wanted {
  readonly policy: EndUserAuthentication
  readonly place: SecretPlace
}

/** The secrets that the logins of policies want, each place read once for all. */
export class LoginSecrets {
  readonly #options: LoginSecretsOptions
  readonly #log: Logger
  readonly #places = new Map<string, FollowedSecret>()
  readonly #listeners = new Set<() => void>()
  readonly #unsubscribe: (() => void) | undefined
  #wanted: ReadonlyMap<string, Wanted> = new Map()
  #current: ReadonlyMap<string, LoginSecretState> = new Map()
  #closed = false

  constructor(options: LoginSecretsOptions) {
    this.#options = options
    this.#log = options.log.child({ room: 'login-secrets' })
    this.#unsubscribe = options.store.subscribe?.(() => {
      for (const place of this.#places.values()) place.look()
    })
  }

  /**
   * The policies that there are now, all of them. The Secret of one that is new, or is not the same object as before,
   * is read at once.
   */
  follow(policies: readonly EndUserAuthentication[]): void {
    if (this.#closed) return
    const before = this.#wanted
    this.#wanted = wantedPlaces(policies)
    const keys = new Set([...this.#wanted.values()].map(({ place }) => keyOf(place)))
    for (const [key, followed] of this.#places)
      if (!keys.has(key)) {
        this.#places.delete(key)
        void followed.close()
      }
    const changed = [...this.#wanted].filter(([name, { policy }]) => before.get(name)?.policy !== policy)
    for (const followed of new Set(changed.map(([, { place }]) => this.#placeOf(place)))) followed.look()
    this.#publish()
  }

  /** By `<namespace>/<name>` of the policy, of those that have a login. The same object until something changed. */
  current(): ReadonlyMap<string, LoginSecretState> {
    return this.#current
  }

  /** Calls back after every change; the returned function ends it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves once every Secret that is wanted now was looked at, and after `longestMs` in any case. */
  async settled(longestMs: number): Promise<void> {
    const late = Promise.withResolvers<void>()
    const cancel = this.#options.clock.after(longestMs, late.resolve)
    const looked = Promise.all([...this.#places.values()].map(place => place.looked))
    await Promise.race([looked, late.promise])
    cancel()
  }

  /** Ends every request and timer, and forgets every secret. */
  async close(): Promise<void> {
    this.#closed = true
    this.#unsubscribe?.()
    this.#current = new Map()
    await Promise.all([...this.#places.values()].map(place => place.close()))
  }

  #placeOf(place: SecretPlace): FollowedSecret {
    const { store, clock, random } = this.#options
    const key = keyOf(place)
    const followed =
      this.#places.get(key) ?? new FollowedSecret({ store, place, clock, random, onReading: () => this.#publish() })
    this.#places.set(key, followed)
    return followed
  }

  #publish(): void {
    if (this.#closed) return
    const before = this.#current
    const next = new Map([...this.#wanted].map(([name, wanted]) => [name, this.#stateOf(name, wanted.place)]))
    if (next.size === before.size && [...next].every(([name, state]) => before.get(name) === state)) return
    this.#current = next
    for (const listener of [...this.#listeners]) listener()
  }

  /** The same object as before where it says the same. */
  #stateOf(policy: string, place: SecretPlace): LoginSecretState {
    const before = this.#current.get(policy)
    const reading = this.#places.get(keyOf(place))?.reading
    if (reading !== undefined && 'value' in reading) {
      const clientSecret = reading.value.reveal()
      const problem = clientSecretProblem(clientSecret)
      const entry = `entry ${JSON.stringify(place.key)} of ${nameOf(place)}`
      if (problem !== undefined) return this.#without(policy, 'missing', `${entry} ${problem}`)
      if (before?.secret?.reveal().clientSecret.equals(clientSecret) === true) return before
      this.#log.info({ policy, from: nameOf(place) }, 'a login has a secret, or another one')
      const secret = new Sensitive(loginSecretValue(policy, clientSecret))
      return { policy, secret, condition: { status: 'ready', message: 'the secret of the client is there' } }
    }
    if (reading === undefined) return this.#without(policy, 'waiting', `${nameOf(place)} is being read`)
    return this.#without(policy, 'missing', reading.problem)
  }

  #without(policy: string, status: 'missing' | 'waiting', message: string): LoginSecretState {
    const before = this.#current.get(policy)
    if (before?.condition.status === status && before.condition.message === message) return before
    return { policy, secret: undefined, condition: { status, message } }
  }
}

function wantedPlaces(policies: readonly EndUserAuthentication[]): ReadonlyMap<string, Wanted> {
  const wanted = policies.flatMap((policy): [string, Wanted][] => {
    const { namespace, name, login } = policy
    return login === undefined
      ? []
      : [[`${namespace}/${name}`, { policy, place: { namespace, ...login.clientSecret } }]]
  })
  return new Map(wanted.sort(([a], [b]) => (a < b ? -1 : 1)))
}

// None of the three can have a slash in it.
const keyOf = ({ namespace, name, key }: SecretPlace): string => `${namespace}/${name}/${key}`
