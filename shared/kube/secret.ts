import { type KubeObject, record } from './object.ts'

/** On everything that the programs make themselves, so that it can be found, and removed with them. */
export const OWN_LABELS = {
  'app.kubernetes.io/part-of': 'countersign',
  'app.kubernetes.io/managed-by': 'countersign'
} as const

export interface SecretContent {
  readonly namespace: string
  readonly name: string
  /** Cannot be changed once the Secret is made. */
  readonly type: string
  /** As text; the API has it in base64. */
  readonly data: Readonly<Record<string, string>>
  /** Only while it is still that version; absent for a new one. */
  readonly resourceVersion?: string
}

/** A Secret to be sent. Kubernetes, core/v1 Secret. */
export function secretManifest({ namespace, name, type, data, resourceVersion }: SecretContent): object {
  const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace, labels: OWN_LABELS, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    type,
    data: Object.fromEntries(encoded)
  }
}

/** One entry of a Secret, as text; undefined when it is not there. */
export function secretText(secret: KubeObject, key: string): string | undefined {
  const encoded = record(secret['data'])?.[key]
  return typeof encoded === 'string' ? Buffer.from(encoded, 'base64').toString() : undefined
}
