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
import type { Logger } from '../../shared/log/index.ts'
import { parsePem, privateKeyFromPem, privateKeyToPem, toPem } from '../../shared/x509/index.ts'
import type { SharedRoots, StoredRoot } from '../certificate/index.ts'

export interface SecretRootsOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'replace'>
  readonly namespace: string
  readonly log: Logger
}

const NAME = 'countersign-webhook-ca'
const TYPE = 'countersign.dev/webhook-ca'
/** Each root as its certificate and its key, PEM, oldest first. */
const ROOTS = 'roots.pem'
const FIELD_MANAGER = 'countersign-webhook'
const PAIR =
  /(-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----)\s*(-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----)/gs
const NOT_FOUND = 404
const CONFLICT = 409

/**
 * The roots of the webhook, in a Secret of the system namespace. Nobody but the API server trusts them, and only for
 * this one server: a Secret that is lost or damaged is replaced. Every method throws ERR_KUBERNETES_… when the API
 * server does not do it.
 */
export class SecretRoots implements SharedRoots {
  readonly #options: SecretRootsOptions

  constructor(options: SecretRootsOptions) {
    this.#options = options
  }

  async load(): Promise<{ readonly roots: readonly StoredRoot[]; readonly version: string | undefined }> {
    const secret = await this.#find()
    if (secret === undefined) return { roots: [], version: undefined }
    return { roots: this.#rootsOf(secret), version: secret.metadata.resourceVersion }
  }

  async save(roots: readonly StoredRoot[], version: string | undefined): Promise<boolean> {
    const { client, namespace } = this.#options
    const text = roots.map(root => toPem([root.certificate]) + privateKeyToPem(root.privateKey)).join('')
    const content = { namespace, name: NAME, type: TYPE, data: { [ROOTS]: text } }
    try {
      if (version === undefined)
        await client.create(collectionPath(COLLECTIONS.secrets, namespace), secretManifest(content), FIELD_MANAGER)
      else await client.replace(this.#path, secretManifest({ ...content, resourceVersion: version }), FIELD_MANAGER)
      return true
    } catch (thrown) {
      const status = statusOf(thrown)
      // Not there any more: it is no longer as it was, either.
      if (status === CONFLICT || (status === NOT_FOUND && version !== undefined)) return false
      throw thrown
    }
  }

  get #path(): string {
    return objectPath(COLLECTIONS.secrets, NAME, this.#options.namespace)
  }

  async #find(): Promise<KubeObject | undefined> {
    try {
      return await this.#options.client.get(this.#path)
    } catch (thrown) {
      if (statusOf(thrown) === NOT_FOUND) return undefined
      throw thrown
    }
  }

  #rootsOf(secret: KubeObject): readonly StoredRoot[] {
    const { namespace, log } = this.#options
    try {
      return [...(secretText(secret, ROOTS) ?? '').matchAll(PAIR)].map(([, certificatePem = '', keyPem = '']) => {
        const [certificate] = parsePem(certificatePem)
        if (certificate === undefined || !certificate.isAuthority) throw new TypeError('not the certificate of a root')
        return { certificate, privateKey: privateKeyFromPem(keyPem) }
      })
    } catch (err) {
      log.warn({ secret: `${namespace}/${NAME}`, err }, 'the roots that replicas share cannot be read, making new ones')
      return []
    }
  }
}
