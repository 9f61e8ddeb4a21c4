import { readWishes } from '../../shared/certificate-secrets/index.ts'
import { type KubeObject, record, stringIn } from '../../shared/kube/index.ts'
import { DNS_LABEL, DNS_SUBDOMAIN } from '../../shared/names/index.ts'
import type { Account } from './types.ts'

/**
 * A service account as the API has it (core/v1), reduced to what decides about its certificate. Undefined for one that
 * is being deleted, and for what no API server would have: without UID, or by a name that no certificate could have.
 */
export function accountOf(object: KubeObject): Account | undefined {
  const metadata = record(object.metadata)
  const namespace = stringIn(metadata, 'namespace')
  const name = stringIn(metadata, 'name')
  const uid = stringIn(metadata, 'uid')
  if (namespace === undefined || name === undefined || uid === undefined) return undefined
  if (!DNS_LABEL.test(namespace) || !DNS_SUBDOMAIN.test(name)) return undefined
  if (stringIn(metadata, 'deletionTimestamp') !== undefined) return undefined
  return { namespace, name, uid, asked: readWishes(textsIn(metadata?.['annotations'])) }
}

function textsIn(annotations: unknown): Readonly<Record<string, string>> {
  const texts = Object.entries(record(annotations) ?? {}).filter(([, value]) => typeof value === 'string')
  return Object.fromEntries(texts) as Record<string, string>
}
