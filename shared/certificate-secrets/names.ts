import { DNS_SUBDOMAIN } from '../names/index.ts'

/** The label of a namespace whose service accounts get Secrets; its value is then `enabled`. */
export const SECRETS_LABEL = 'countersign.dev/secrets'

/** The annotation of a pod that names the containers into which the Secret of its account is mounted. */
export const CERTIFICATES_ANNOTATION = 'countersign.dev/certificates'

/** The type of such a Secret, by which it is known to be ours. */
export const SECRET_TYPE = 'countersign.dev/key-and-cert'

/** The keys of its data: a chain with the leaf first and without its root, a key (PKCS#8), the roots; all PEM. */
export const SECRET_KEYS = { chain: 'cert-chain.pem', key: 'key.pem', roots: 'root-cert.pem' } as const

/** Where a container finds it. */
export const SECRET_MOUNT = '/var/run/secrets/countersign'

const PREFIX = 'countersign.'

/** The Secret of a service account; undefined when its name leaves no room for the prefix (253 characters in all). */
export function secretNameOf(account: string): string | undefined {
  const name = `${PREFIX}${account}`
  return DNS_SUBDOMAIN.test(name) ? name : undefined
}
