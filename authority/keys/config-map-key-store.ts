import {
  COLLECTIONS,
  type KubeClient,
  type KubeObject,
  OWN_LABELS,
  objectPath,
  record,
  statusOf,
  stringIn
} from '../../shared/kube/index.ts'
import type { KeyStore } from './key-store.ts'

const NAME = 'countersign-key-sets'
const ENTRY = 'key-sets.json'
const FIELD_MANAGER = 'countersign-authority'
const NOT_FOUND = 404

/**
 * Keeps key sets in a ConfigMap of the system namespace. Every replica writes it: they follow the same policies, and
 * the last one to learn something is right.
 */
export class ConfigMapKeyStore implements KeyStore {
  readonly location: string
  readonly #client: Pick<KubeClient, 'get' | 'apply'>
  readonly #namespace: string

  constructor(client: Pick<KubeClient, 'get' | 'apply'>, namespace: string) {
    this.#client = client
    this.#namespace = namespace
    this.location = `ConfigMap ${namespace}/${NAME}`
  }

  /** @throws CountersignError ERR_KUBERNETES_… */
  async load(): Promise<string | undefined> {
    const configMap = await this.#find()
    return configMap === undefined ? undefined : stringIn(record(configMap['data']), ENTRY)
  }

  /** @throws CountersignError ERR_KUBERNETES_… */
  async save(text: string): Promise<void> {
    const metadata = { name: NAME, namespace: this.#namespace, labels: OWN_LABELS }
    const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { [ENTRY]: text } }
    await this.#client.apply(this.#path, configMap, FIELD_MANAGER)
  }

  get #path(): string {
    return objectPath(COLLECTIONS.configMaps, NAME, this.#namespace)
  }

  async #find(): Promise<KubeObject | undefined> {
    try {
      return await this.#client.get(this.#path)
    } catch (thrown) {
      if (statusOf(thrown) === NOT_FOUND) return undefined
      throw thrown
    }
  }
}
