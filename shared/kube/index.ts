// Kube: the Kubernetes API as Countersign needs it: few verbs, and collections that stay followed whatever happens.
//
// In: a kubeconfig or the pod's own service account; paths of resources. Out: objects as the API has them, errors as
// CountersignErrors, and reflectors: collections reduced to what their owner keeps, with word of every change.
// Never: decides what an object means; never gives up a collection that it follows; never logs an object.
// Source: Kubernetes, "API Concepts" (watches, bookmarks, 410 Gone, paging, server-side apply).

export { statusOf } from './api-error.ts'
export { KubeClient, type KubeClientOptions } from './kube-client.ts'
export { type KubeObject, keyOf, record, stringIn } from './object.ts'
export { COLLECTIONS, type Collection, collectionPath, objectPath, statusPath } from './path.ts'
export { Reflector, type ReflectorOptions } from './reflector.ts'
export { type RetryOptions, retryDelayMs, retryKubernetes } from './retry.ts'
export { OWN_LABELS, type SecretContent, secretManifest, secretText } from './secret.ts'
export { Upkeep, type UpkeepOptions } from './upkeep.ts'
