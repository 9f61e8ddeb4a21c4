import { readWishes, SECRETS_LABEL } from '../certificate-secrets/index.ts'
import { mapping, network, optional, optionalList } from './field.ts'
import { checkInjectLabel } from './inject-label.ts'
import { type Issue, issuesOf, type Normalised, show } from './issue.ts'
import { clusterMetadata, metadata, namespaceMetadata } from './metadata.ts'
import type { Labels, Namespace, Node, ServiceAccount } from './types.ts'

const namespaceSchema = mapping({ metadata: namespaceMetadata })
const serviceAccountSchema = mapping({ metadata })
const nodeSchema = mapping({
  metadata: clusterMetadata,
  spec: optional(mapping({ podCIDR: optional(network), podCIDRs: optionalList(network) }))
})

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

/** Kubernetes, core/v1 Node, reduced to the networks from which its pods get their addresses. */
export function nodeFromManifest(object: unknown): Normalised<Node> {
  const parsed = nodeSchema.safeParse(object)
  if (!parsed.success) return { value: undefined, issues: issuesOf(parsed.error, object) }
  const { metadata, spec } = parsed.data
  const networks = [...(spec?.podCIDR === undefined ? [] : [spec.podCIDR]), ...(spec?.podCIDRs ?? [])]
  return {
    value: Object.freeze({ name: metadata.name, podNetworks: Object.freeze([...new Set(networks)]) }),
    issues: []
  }
}
