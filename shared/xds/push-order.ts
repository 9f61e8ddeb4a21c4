import { TYPE } from './type-url.ts'

/** The types that a server speaks of, in the order in which it sends what changed. Each type is in both lists. */
export interface PushOrder {
  /** What is new or changed: whatever is referred to comes before what refers to it. */
  readonly updates: readonly string[]
  /** What is gone (delta only): whatever refers comes before what it referred to. After all updates. */
  readonly removals: readonly string[]
}

/**
 * Make before break. The xDS protocol ("Eventual consistency considerations") wants clusters first, then their
 * endpoints, listeners after both, routes after the listeners that name them, and removals of stale clusters last.
 *
 * It is silent on the other two. Secrets come first: a trust bundle that gained a root must be there before a
 * cluster leads to servers under that root. Extension configurations (here: authentication and authorization) come
 * after the clusters they may name and before listeners and routes, so nothing is reachable ahead of its policy.
 */
export const ENVOY_PUSH_ORDER: PushOrder = {
  updates: [TYPE.secret, TYPE.cluster, TYPE.endpoint, TYPE.extensionConfig, TYPE.listener, TYPE.route],
  removals: [TYPE.listener, TYPE.route, TYPE.extensionConfig, TYPE.cluster, TYPE.endpoint, TYPE.secret]
}

/** The order of a service that speaks of one type only. */
export function singlePushOrder(typeUrl: string): PushOrder {
  return { updates: [typeUrl], removals: [typeUrl] }
}
