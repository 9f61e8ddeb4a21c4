import { type FieldPath, type Issue, show } from './issue.ts'
import type { Labels } from './types.ts'

const INJECT = 'countersign.dev/inject'
const ALLOWED: readonly string[] = ['enabled', 'disabled']

/** The label that switches injection means nothing with another value: somebody believes that it does. */
export function checkInjectLabel(labels: Labels, path: FieldPath): readonly Issue[] {
  const value = labels[INJECT]
  if (value === undefined || ALLOWED.includes(value)) return []
  return [{ path: [...path, INJECT], message: `expected ${ALLOWED.join(' or ')}, got ${show(value)}` }]
}
