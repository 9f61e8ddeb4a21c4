import type { Floor } from '../../shared/floor/index.ts'
import type { ProxyResources } from './resources.ts'

/** Levels of Envoy's own log. */
export const PROXY_LOG_LEVELS = ['trace', 'debug', 'info', 'warning', 'error', 'critical', 'off'] as const
export type ProxyLogLevel = (typeof PROXY_LOG_LEVELS)[number]

export const IMAGE_PULL_POLICIES = ['IfNotPresent', 'Always', 'Never'] as const
export type ImagePullPolicy = (typeof IMAGE_PULL_POLICIES)[number]

/** What is the same for every pod; annotations of a pod change some of it for that pod. */
export interface InjectionSettings {
  readonly image: string
  readonly imagePullPolicy: ImagePullPolicy
  readonly resources: ProxyResources
  readonly logLevel: ProxyLogLevel
  /** Whole seconds that connections get to move when a listener changes. */
  readonly drainTimeSeconds: number
  /** Pods of these namespaces are never touched, whatever the selectors of the webhook let through. */
  readonly excludedNamespaces: ReadonlySet<string>
  /** What pods may not undo; absent: nothing. It never concerns excluded namespaces. */
  readonly floor?: Floor
}
