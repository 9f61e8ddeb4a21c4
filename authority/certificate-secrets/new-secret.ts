import { SECRET_KEYS, SECRET_TYPE, secretNameOf } from '../../shared/certificate-secrets/index.ts'
import { CountersignError } from '../../shared/errors/index.ts'
import { OWN_LABELS, secretManifest } from '../../shared/kube/index.ts'
import { type Certificate, generateKeyPair, privateKeyToPem, spkiOf, toPem } from '../../shared/x509/index.ts'
import { certify } from '../issuance/index.ts'
import { contentOf } from './content.ts'
import { lifetimesOf } from './lifetime.ts'
import type { Account, Limits, PresentSecret, Trust, WantedCertificate } from './types.ts'

/** For people who look with kubectl; nobody reads them back. */
const SPIFFE_ID_ANNOTATION = 'countersign.dev/spiffe-id'
const EXPIRES_AT_ANNOTATION = 'countersign.dev/expires-at'

/** A new certificate with its key: to be sent, and kept nowhere. */
export interface IssuedContent {
  /** By SECRET_KEYS; text, not base64. */
  readonly data: Readonly<Record<string, string>>
  readonly certificate: Certificate
}

/**
 * Makes a key and signs a certificate for it. What comes back has been looked at as it will be when it comes from the
 * API: an issuer that does not fit the bundle would otherwise be rewritten for ever. `now` is in milliseconds since
 * the epoch.
 *
 * @throws CountersignError ERR_ISSUER_UNUSABLE
 */
export async function issueContent(
  wanted: WantedCertificate,
  trust: Trust,
  limits: Limits,
  now: number
): Promise<IssuedContent> {
  const { privateKey, publicKey } = await generateKeyPair(wanted.key)
  const { certificate, chain } = certify(wanted, spkiOf(publicKey), lifetimesOf(limits), trust.issuer, now)
  const files = { chain: toPem(chain), key: privateKeyToPem(privateKey), roots: toPem(trust.bundle.roots) }
  const content = contentOf(files)
  if ('problem' in content)
    throw new CountersignError('ERR_ISSUER_UNUSABLE', `what the authority signs cannot be used: ${content.problem}`)
  const data = {
    [SECRET_KEYS.chain]: files.chain,
    [SECRET_KEYS.key]: files.key,
    [SECRET_KEYS.roots]: files.roots
  }
  return { data, certificate }
}

/**
 * The whole Secret of an account, to be created. Kubernetes, core/v1 Secret.
 *
 * @throws TypeError for an account whose name leaves no room for that of a Secret
 */
export function creation(account: Account, issued: IssuedContent): object {
  const name = secretNameOf(account.name)
  if (name === undefined) throw new TypeError('expected an account that can have a Secret')
  const content = { namespace: account.namespace, name, type: SECRET_TYPE, data: issued.data }
  const manifest = secretManifest(content) as { readonly metadata: object }
  const metadata = { ...manifest.metadata, annotations: annotationsOf(issued), ownerReferences: ownedBy(account) }
  return { ...manifest, metadata }
}

/**
 * What is to be changed about a Secret, only while it is still that version: a merge patch (RFC 7396), so labels,
 * annotations and data of others stay. Without `issued`, only its owner.
 */
export function change(account: Account, secret: PresentSecret, issued: IssuedContent | undefined): object {
  const { uid, resourceVersion } = secret
  const metadata = { uid, resourceVersion, ownerReferences: ownedBy(account) }
  if (issued === undefined) return { metadata }
  const data = Object.fromEntries(
    Object.entries(issued.data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])
  )
  return { metadata: { ...metadata, labels: OWN_LABELS, annotations: annotationsOf(issued) }, data }
}

function annotationsOf({ certificate }: IssuedContent): Readonly<Record<string, string>> {
  return {
    [SPIFFE_ID_ANNOTATION]: certificate.spiffeId?.toString() ?? '',
    [EXPIRES_AT_ANNOTATION]: new Date(certificate.notAfter).toISOString()
  }
}

/** So that the Secret goes with its account. */
function ownedBy({ name, uid }: Account): readonly object[] {
  return [{ apiVersion: 'v1', kind: 'ServiceAccount', name, uid, controller: true, blockOwnerDeletion: false }]
}
