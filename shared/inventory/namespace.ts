import { readWishes, SECRETS_LABEL } from '../certificate-secrets/index.ts'
import { mapping } from './field.ts'
import { checkInjectLabel } from './inject-label.ts'
import { type Issue, issuesOf, type Normalised, show } from './issue.ts'
import { clusterMetadata, metadata, namespaceMetadata } from './metadata.ts'
import type { Labels, Namespace, ServiceAccount } from './types.ts'

const namespaceSchema = mapping({ metadata: namespaceMetadata })
const serviceAccountSchema = mapping({ metadata })
const nodeSchema = mapping({ metadata: clusterMetadata })

/** Kubernetes, core/v1 Namespace. */
export function namespaceFromManifest(object: unknown): Normalised<Namespace> {
  const parsed = namespaceSchema.safeParse(object)
  if (!parsed.success) return { value: undefined, issues: issuesOf(parsed.error, object) }
  const { name, labels } = parsed.data.metadata
  return {
    value: Object.freeze({ name, labels }),
    issues: [...checkInjectLabel(labels, ['metadata', 'labels']), ...checkSecretsLabel(labels)]
  }
}

function checkSecretsLabel(labels: Labels): readonly Issue[] {
  const value = labels[SECRETS_LABEL]
  if (value === undefined || value === 'enabled') return []
  return [{ path: ['metadata', 'labels', SECRETS_LABEL], message: `expected enabled, got ${show(value)}` }]
}

/** Kubernetes, core/v1 ServiceAccount. */
export function serviceAccountFromManifest(object: unknown): Normalised<ServiceAccount> {
  const parsed = serviceAccountSchema.safeParse(object)
  if (!parsed.success) return { value: undefined, issues: issuesOf(parsed.error, object) }
  const { namespace, name, annotations } = parsed.data.metadata
  const issues = readWishes(annotations).problems.map(({ annotation, message }) => ({
    path: ['metadata', 'annotations', annotation],
    message
  }))
  return { value: Object.freeze({ namespace, name }), issues }
}

/** Kubernetes, core/v1 Node: checked, because a source may hold it; the mesh takes nodes from its pods. */
export function nodeFromManifest(object: unknown): Normalised<{ readonly name: string }> {
  const parsed = nodeSchema.safeParse(object)
  if (!parsed.success) return { value: undefined, issues: issuesOf(parsed.error, object) }
  return { value: Object.freeze({ name: parsed.data.metadata.name }), issues: [] }
}
