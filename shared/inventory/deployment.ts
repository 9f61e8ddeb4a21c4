import { mapping, optional } from './field.ts'
import { checkInjectLabel } from './inject-label.ts'
import { type Issue, issuesOf, type Normalised, show } from './issue.ts'
import { annotations, labels } from './label.ts'
import { metadata } from './metadata.ts'
import { podSpec } from './pod-spec.ts'
import type { Labels } from './types.ts'

const schema = mapping({
  metadata,
  spec: mapping({
    selector: mapping({ matchLabels: labels }),
    template: mapping({ metadata: optional(mapping({ labels, annotations })), spec: podSpec })
  })
})

/**
 * Kubernetes, apps/v1 Deployment: checked together with the template of its pods. It is no part of an inventory:
 * whoever runs it makes pods, and those are.
 */
export function deploymentFromManifest(object: unknown): Normalised<{ namespace: string; name: string }> {
  const parsed = schema.safeParse(object)
  if (!parsed.success) return { value: undefined, issues: issuesOf(parsed.error, object) }
  const { metadata, spec } = parsed.data
  const templateLabels = spec.template.metadata?.labels ?? {}
  const issues = [
    ...checkSelector(spec.selector.matchLabels, templateLabels),
    ...checkInjectLabel(templateLabels, ['spec', 'template', 'metadata', 'labels'])
  ]
  return { value: Object.freeze({ namespace: metadata.namespace, name: metadata.name }), issues }
}

function checkSelector(selector: Labels, template: Labels): readonly Issue[] {
  return Object.entries(selector)
    .filter(([key, value]) => template[key] !== value)
    .map(([key, value]) => ({
      path: ['spec', 'selector', 'matchLabels', key],
      message: `expected a label that spec.template.metadata.labels has with the same value, got ${show(value)}`
    }))
}
