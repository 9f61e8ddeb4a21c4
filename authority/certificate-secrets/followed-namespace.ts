import { SECRET_TYPE, secretNameOf } from '../../shared/certificate-secrets/index.ts'
import {
  COLLECTIONS,
  collectionPath,
  type KubeClient,
  type KubeObject,
  keyOf,
  Reflector,
  type ReflectorOptions
} from '../../shared/kube/index.ts'
import { accountOf } from './account.ts'
import { presentSecret } from './present-secret.ts'
import type { Account, PresentSecret } from './types.ts'

interface Written {
  /** What the watch had told when it was written. */
  readonly over: PresentSecret | undefined
  readonly now: PresentSecret
  /** Believed until then, in milliseconds since the epoch: made and removed again, the watch may never tell of it. */
  readonly until: number
}

/** What there is of an account's Secret, and until when that is believed without being told again. */
export interface Seen {
  readonly secret: PresentSecret | undefined
  readonly until: number
}

const BELIEVED_MS = 10_000
/** Chain and key of each are verified, which takes a millisecond or two. */
const IN_A_ROW = 10

/** The service accounts of a namespace and its Secrets of our type, followed. */
export class FollowedNamespace {
  readonly name: string
  readonly #clock: ReflectorOptions<unknown>['clock']
  readonly #accounts: Reflector<Account>
  readonly #secrets: Reflector<PresentSecret>
  /** What was written, by the name of the Secret, until something else is heard of it. */
  readonly #written = new Map<string, Written>()
  #isSynced = false

  constructor(
    name: string,
    options: Pick<ReflectorOptions<unknown>, 'clock' | 'random' | 'log'> & {
      readonly client: Pick<KubeClient, 'pages' | 'watch'>
    },
    onChange: () => void
  ) {
    this.name = name
    this.#clock = options.clock
    const accounts = collectionPath(COLLECTIONS.serviceAccounts, name)
    this.#accounts = new Reflector<Account>({ ...options, path: accounts, normalise: accountOf })
    this.#secrets = new Reflector<PresentSecret>({
      ...options,
      path: collectionPath(COLLECTIONS.secrets, name),
      fieldSelector: `type=${SECRET_TYPE}`,
      inARow: IN_A_ROW,
      normalise: (object, previous) => this.#told(object, previous)
    })
    for (const reflector of [this.#accounts, this.#secrets]) reflector.subscribe(onChange)
    void Promise.all([this.#accounts.synced, this.#secrets.synced]).then(() => {
      this.#isSynced = true
      onChange()
    })
  }

  /** Both collections were seen as a whole. Before, what is missing may only not have been told yet. */
  get isSynced(): boolean {
    return this.#isSynced
  }

  accounts(): Iterable<Account> {
    return this.#accounts.current().values()
  }

  account(name: string): Account | undefined {
    return this.#accounts.current().get(`${this.name}/${name}`)
  }

  secretOf(account: Account): Seen {
    const name = secretNameOf(account.name)
    if (name === undefined) return { secret: undefined, until: Number.POSITIVE_INFINITY }
    const told = this.#secrets.current().get(`${this.name}/${name}`)
    const written = this.#written.get(name)
    if (written !== undefined && written.over === told && this.#clock.now() < written.until)
      return { secret: written.now, until: told === undefined ? written.until : Number.POSITIVE_INFINITY }
    this.#written.delete(name)
    return { secret: told, until: Number.POSITIVE_INFINITY }
  }

  /**
   * To be called with what the API server made of `base`: the watch tells it only later. If it has told something by
   * now, that is this or something newer: a change was possible only while `base` was the newest, and a creation only
   * while there was none.
   */
  wrote(base: PresentSecret | undefined, object: KubeObject): void {
    const { name } = object.metadata
    const before = this.#written.get(name)
    const over = before !== undefined && before.now === base ? before.over : base
    if (this.#secrets.current().get(keyOf(object)) !== over) return
    // A change of what the watch told is believed until it tells again; it is sure to, of whatever becomes of it.
    const until = over === undefined ? this.#clock.now() + BELIEVED_MS : Number.POSITIVE_INFINITY
    this.#written.set(name, { over, now: presentSecret(object), until })
  }

  async close(): Promise<void> {
    await Promise.all([this.#accounts.close(), this.#secrets.close()])
  }

  #told(object: KubeObject, previous: PresentSecret | undefined): PresentSecret {
    const { name, uid, resourceVersion } = object.metadata
    const written = this.#written.get(name)?.now
    // Seen before: as it was listed, or as it came back from being written. Looking at a key takes its time.
    for (const known of [written, previous])
      if (known !== undefined && known.resourceVersion === resourceVersion && known.uid === (uid ?? '')) return known
    return presentSecret(object)
  }
}
