import { OPAQUE } from '../../shared/inventory/index.ts'
import { COLLECTIONS, type KubeClient, type KubeObject, objectPath, record, statusOf } from '../../shared/kube/index.ts'
import { Sensitive } from '../../shared/log/index.ts'
import { lacksEntry, nameOf, notThere, type SecretPlace, type SecretReading, type SecretStore } from './secret-store.ts'

const FORBIDDEN = 403
const NOT_FOUND = 404

/**
 * Secrets of the cluster, each asked for by its name: whoever lets the authority read those of a namespace lets it
 * read, and not look around.
 */
export class KubernetesSecretStore implements SecretStore {
  readonly #client: Pick<KubeClient, 'get'>

  constructor(client: Pick<KubeClient, 'get'>) {
    this.#client = client
  }

  /** @throws CountersignError ERR_KUBERNETES_… */
  async read(place: SecretPlace, signal: AbortSignal): Promise<SecretReading> {
    const { namespace, name, key } = place
    let secret: KubeObject
    try {
      secret = await this.#client.get(objectPath(COLLECTIONS.secrets, name, namespace), signal)
    } catch (thrown) {
      const status = statusOf(thrown)
      if (status === NOT_FOUND) return notThere(place)
      if (status === FORBIDDEN) return forbidden(place)
      throw thrown
    }
    const type = secret['type'] ?? OPAQUE
    // Whoever writes policies says where a secret is sent to: keys and tokens that have a purpose of their own are not.
    if (type !== OPAQUE)
      return { problem: `${nameOf(place)} is of type ${JSON.stringify(type)}: expected one of type ${OPAQUE}` }
    const data = record(secret['data'])
    const encoded = data !== undefined && Object.hasOwn(data, key) ? data[key] : undefined
    if (typeof encoded !== 'string') return lacksEntry(place)
    return { value: new Sensitive(Buffer.from(encoded, 'base64')) }
  }
}

const forbidden = (place: SecretPlace): SecretReading => ({
  problem: `the authority may not read ${nameOf(place)}: add ${JSON.stringify(place.namespace)} to the value login.namespaces of the chart`,
  mayPass: true
})
