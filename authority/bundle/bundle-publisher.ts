import type { Clock, Random } from '../../shared/clock/index.ts'
import {
  COLLECTIONS,
  collectionPath,
  type KubeClient,
  type KubeObject,
  OWN_LABELS,
  objectPath,
  Reflector,
  record,
  stringIn,
  Upkeep
} from '../../shared/kube/index.ts'
import type { Logger } from '../../shared/log/index.ts'

export interface BundlePublisherOptions {
  readonly client: Pick<KubeClient, 'apply' | 'pages' | 'watch'>
  readonly namespace: string
  /** PEM. */
  readonly bundle: () => string
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

const NAME = 'countersign-bundle'
const KEY = 'bundle.pem'
const FIELD_MANAGER = 'countersign-authority'

/** Keeps the ConfigMap `countersign-bundle` of the system namespace, whatever happens to it. */
export class BundlePublisher {
  readonly #options: BundlePublisherOptions
  readonly #log: Logger
  readonly #reflector: Reflector<string>
  readonly #upkeep: Upkeep

  constructor(options: BundlePublisherOptions) {
    const { client, namespace, clock, random } = options
    this.#options = options
    this.#log = options.log.child({ room: 'bundle' })
    const tools = { clock, random, log: this.#log }
    this.#upkeep = new Upkeep({ what: 'writing the trust bundle', attempt: () => this.#write(), ...tools })
    this.#reflector = new Reflector<string>({
      client,
      path: collectionPath(COLLECTIONS.configMaps, namespace),
      fieldSelector: `metadata.name=${NAME}`,
      normalise: held,
      ...tools
    })
    this.#reflector.subscribe(() => this.#upkeep.trigger())
  }

  /** Resolves once it was written or found right; never rejects. */
  get published(): Promise<void> {
    return this.#upkeep.right
  }

  /** To be called when there is another bundle. */
  update(): void {
    this.#upkeep.trigger()
  }

  async close(): Promise<void> {
    await this.#reflector.close()
    await this.#upkeep.close()
  }

  async #write(): Promise<boolean> {
    const { client, namespace, bundle } = this.#options
    const text = bundle()
    if (this.#reflector.current().get(`${namespace}/${NAME}`) === text) return true
    const metadata = { name: NAME, namespace, labels: OWN_LABELS }
    const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { [KEY]: text } }
    await client.apply(objectPath(COLLECTIONS.configMaps, NAME, namespace), configMap, FIELD_MANAGER)
    this.#log.info({ configMap: `${namespace}/${NAME}` }, 'trust bundle written')
    return true
  }
}

const held = (object: KubeObject): string => stringIn(record(object['data']), KEY) ?? ''
