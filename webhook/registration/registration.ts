import type { Clock, Random } from '../../shared/clock/index.ts'
import {
  COLLECTIONS,
  type Collection,
  collectionPath,
  type KubeClient,
  type KubeObject,
  objectPath,
  Reflector,
  record,
  stringIn,
  Upkeep
} from '../../shared/kube/index.ts'
import type { Logger } from '../../shared/log/index.ts'
import type { ServingCertificateSource } from '../certificate/index.ts'

export interface RegistrationOptions {
  readonly client: Pick<KubeClient, 'patch' | 'pages' | 'watch'>
  /** Of the MutatingWebhookConfiguration and of the ValidatingWebhookConfiguration. */
  readonly name: string
  readonly certificates: Pick<ServingCertificateSource, 'current' | 'subscribe'> & {
    /** Resolves once `current()` is as new as what the replicas share. */
    refresh(): Promise<void>
  }
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** A webhook of a configuration, by its name in it. */
interface Entry {
  readonly name: string
  /** In base64, as the API has it. */
  readonly caBundle: string | undefined
}

const FIELD_MANAGER = 'countersign-webhook'

/** Keeps `caBundle` right in every webhook of the two configurations, whoever changes it. */
export class Registration {
  readonly #options: RegistrationOptions
  readonly #log: Logger
  readonly #configurations: readonly { readonly collection: Collection; readonly held: Reflector<readonly Entry[]> }[]
  readonly #upkeep: Upkeep
  readonly #unsubscribe: () => void

  constructor(options: RegistrationOptions) {
    const { client, name, certificates, clock, random } = options
    this.#options = options
    this.#log = options.log.child({ room: 'registration' })
    const tools = { clock, random, log: this.#log }
    this.#upkeep = new Upkeep({ what: 'registering the webhook', attempt: () => this.#register(), ...tools })
    this.#configurations = [COLLECTIONS.mutatingWebhooks, COLLECTIONS.validatingWebhooks].map(collection => ({
      collection,
      held: new Reflector({
        client,
        path: collectionPath(collection),
        fieldSelector: `metadata.name=${name}`,
        normalise: entriesOf,
        ...tools
      })
    }))
    for (const { held } of this.#configurations) held.subscribe(() => this.#upkeep.trigger())
    this.#unsubscribe = certificates.subscribe(() => this.#upkeep.trigger())
  }

  /** Resolves once both configurations were there and right; never rejects. */
  get registered(): Promise<void> {
    return this.#upkeep.right
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await Promise.all(this.#configurations.map(({ held }) => held.close()))
    await this.#upkeep.close()
  }

  async #register(): Promise<boolean> {
    const { name, certificates } = this.#options
    const wrong = (): boolean =>
      this.#configurations.some(({ held }) => !isRight(held.current().get(name), this.#bundle))
    // What another replica has written is only corrected by who knows all that there is to know.
    if (wrong()) await certificates.refresh()
    const bundle = this.#bundle
    let complete = true
    for (const { collection, held } of this.#configurations) {
      const entries = held.current().get(name)
      if (entries === undefined) complete = false
      else if (!isRight(entries, bundle)) await this.#patch(collection, entries, bundle)
    }
    return complete
  }

  get #bundle(): string {
    return Buffer.from(this.#options.certificates.current().caBundle ?? '').toString('base64')
  }

  async #patch(collection: Collection, entries: readonly Entry[], caBundle: string): Promise<void> {
    const { client, name } = this.#options
    // Merged by name: an entry that is gone by now would be incomplete, and the API server refuses it.
    const webhooks = entries.map(entry => ({ name: entry.name, clientConfig: { caBundle } }))
    await client.patch(objectPath(collection, name), { webhooks }, FIELD_MANAGER)
    this.#log.info({ configuration: `${collection.plural}/${name}` }, 'roots of the webhook registered')
  }
}

const isRight = (entries: readonly Entry[] | undefined, bundle: string): boolean =>
  entries?.every(({ caBundle }) => caBundle === bundle) ?? false

function entriesOf(configuration: KubeObject): readonly Entry[] {
  const { webhooks } = configuration
  return (Array.isArray(webhooks) ? webhooks : []).flatMap(webhook => {
    const name = stringIn(record(webhook), 'name')
    const caBundle = stringIn(record(record(webhook)?.['clientConfig']), 'caBundle')
    return name === undefined ? [] : [{ name, caBundle }]
  })
}
