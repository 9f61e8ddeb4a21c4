import { CountersignError } from '../../shared/errors/index.ts'
import {
  COLLECTIONS,
  collectionPath,
  type KubeClient,
  type KubeObject,
  objectPath,
  secretManifest,
  secretText,
  statusOf
} from '../../shared/kube/index.ts'
import type { RootPem, RootStore } from './store.ts'

const NAME = 'countersign-root'
const TYPE = 'countersign.dev/root'
// As in Secrets of type kubernetes.io/tls, so that people find their way.
const CERTIFICATE = 'tls.crt'
const KEY = 'tls.key'
const FIELD_MANAGER = 'countersign-authority'
const NOT_FOUND = 404
const CONFLICT = 409

/** Keeps the root in a Secret of the system namespace. The API server makes only one of them, whoever asks first. */
export class SecretRootStore implements RootStore {
  readonly location: string
  readonly #client: Pick<KubeClient, 'get' | 'create'>
  readonly #namespace: string

  constructor(client: Pick<KubeClient, 'get' | 'create'>, namespace: string) {
    this.#client = client
    this.#namespace = namespace
    this.location = `Secret ${namespace}/${NAME}`
  }

  /** @throws CountersignError ERR_ISSUER_UNUSABLE when it has no certificate or no key; ERR_KUBERNETES_… */
  async load(): Promise<RootPem | undefined> {
    const secret = await this.#find()
    if (secret === undefined) return undefined
    const certificatePem = secretText(secret, CERTIFICATE)
    const keyPem = secretText(secret, KEY)
    if (certificatePem === undefined || keyPem === undefined)
      throw new CountersignError('ERR_ISSUER_UNUSABLE', `root ${this.location} lacks ${CERTIFICATE} or ${KEY}`)
    return { certificatePem, keyPem }
  }

  /** @throws CountersignError ERR_KUBERNETES_… */
  async create({ certificatePem, keyPem }: RootPem): Promise<boolean> {
    const data = { [CERTIFICATE]: certificatePem, [KEY]: keyPem }
    const secret = secretManifest({ namespace: this.#namespace, name: NAME, type: TYPE, data })
    try {
      await this.#client.create(collectionPath(COLLECTIONS.secrets, this.#namespace), secret, FIELD_MANAGER)
      return true
    } catch (thrown) {
      if (statusOf(thrown) === CONFLICT) return false
      throw thrown
    }
  }

  async #find(): Promise<KubeObject | undefined> {
    try {
      return await this.#client.get(objectPath(COLLECTIONS.secrets, NAME, this.#namespace))
    } catch (thrown) {
      if (statusOf(thrown) === NOT_FOUND) return undefined
      throw thrown
    }
  }
}
