import { CERTIFICATES_ANNOTATION } from '../../shared/certificate-secrets/index.ts'
import { isMirror, isOnWindows, type Pod } from '../pod/index.ts'

export interface MountingSettings {
  /** Pods of these namespaces are never touched, whatever the selectors of the webhook let through. */
  readonly excludedNamespaces: ReadonlySet<string>
}

export interface Skip {
  readonly kind: 'skip'
  readonly reason: 'not-asked' | 'excluded-namespace' | 'mirror-pod' | 'windows' | 'already-mounted'
  readonly message: string
  /** The user asked for certificates and does not get them: worth a warning, not only a line in the log. */
  readonly unexpected: boolean
}

interface Rule extends Omit<Skip, 'kind'> {
  applies(pod: Pod, namespace: string, settings: MountingSettings): boolean
}

// In this order; the first that applies is the reason.
const RULES: readonly Rule[] = [
  {
    reason: 'not-asked',
    applies: ({ metadata }) => metadata?.annotations?.[CERTIFICATES_ANNOTATION] === undefined,
    message: `it has no annotation ${CERTIFICATES_ANNOTATION}`,
    unexpected: false
  },
  {
    reason: 'excluded-namespace',
    applies: (_pod, namespace, { excludedNamespaces }) => excludedNamespaces.has(namespace),
    message: 'its namespace is excluded: what the cluster and Countersign need in order to start waits for no Secret',
    unexpected: true
  },
  {
    // The kubelet takes no static pod that refers to a Secret, nor the API server its mirror.
    reason: 'mirror-pod',
    applies: isMirror,
    message: 'it is the mirror of a static pod, which can have no Secret',
    unexpected: true
  },
  {
    reason: 'windows',
    applies: isOnWindows,
    message: 'spec.os.name is windows: the path of the certificates is one of Linux',
    unexpected: true
  }
]

/** The first reason to leave the pod as it is, if there is one. */
export function skipReason(pod: Pod, namespace: string, settings: MountingSettings): Skip | undefined {
  const rule = RULES.find(({ applies }) => applies(pod, namespace, settings))
  return rule && { kind: 'skip', reason: rule.reason, message: rule.message, unexpected: rule.unexpected }
}
