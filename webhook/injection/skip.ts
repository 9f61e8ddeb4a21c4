import { isMirror, isOnWindows, type Pod } from '../pod/index.ts'
import { INJECT_LABEL } from './names.ts'
import type { InjectionSettings } from './settings.ts'

/** Why a pod is left as it is. */
export type SkipReason =
  | 'host-network'
  | 'excluded-namespace'
  | 'disabled-by-label'
  | 'mirror-pod'
  | 'windows'
  | 'already-injected'

export interface Skip {
  readonly kind: 'skip'
  readonly reason: SkipReason
  readonly message: string
  /** The user asked for injection and does not get it: worth a warning, not only a line in the log. */
  readonly unexpected: boolean
}

interface Rule {
  readonly reason: SkipReason
  applies(pod: Pod, namespace: string, settings: InjectionSettings): boolean
  readonly message: string
  readonly unexpected: boolean
}

// In this order; the first that applies is the reason. What no floor concerns comes first.
const RULES: readonly Rule[] = [
  {
    reason: 'excluded-namespace',
    applies: (_pod, namespace, { excludedNamespaces }) => excludedNamespaces.has(namespace),
    message:
      'its namespace is excluded: what the cluster and Countersign need in order to start never waits for a proxy',
    unexpected: false
  },
  {
    reason: 'mirror-pod',
    applies: isMirror,
    message: 'it is the mirror of a static pod, which only its file on the node can change',
    unexpected: true
  },
  {
    reason: 'host-network',
    applies: ({ spec }) => spec?.hostNetwork === true,
    message:
      'spec.hostNetwork is true: in the network of the node the traffic of one pod cannot be told from that of others',
    unexpected: true
  },
  {
    reason: 'disabled-by-label',
    applies: ({ metadata }) => metadata?.labels?.[INJECT_LABEL] === 'disabled',
    message: `its label ${INJECT_LABEL} is disabled`,
    unexpected: false
  },
  {
    reason: 'windows',
    applies: isOnWindows,
    message: 'spec.os.name is windows: the proxy runs on Linux only',
    unexpected: true
  }
]

/** The first reason to leave the pod as it is, if there is one. */
export function skipReason(pod: Pod, namespace: string, settings: InjectionSettings): Skip | undefined {
  const rule = RULES.find(({ applies }) => applies(pod, namespace, settings))
  return rule && { kind: 'skip', reason: rule.reason, message: rule.message, unexpected: rule.unexpected }
}

/** What is wrong with the pod's own label, as a sentence. */
export function labelProblems({ metadata }: Pod): string[] {
  const value = metadata?.labels?.[INJECT_LABEL]
  if (value === undefined || value === 'enabled' || value === 'disabled') return []
  return [`label ${INJECT_LABEL} ${JSON.stringify(value)}: expected one of enabled, disabled`]
}
