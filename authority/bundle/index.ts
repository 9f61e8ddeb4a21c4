// The trust bundle where everybody in the cluster can read it: agents know the authority by it before they ever spoke.
//
// In: a client of the Kubernetes API, a bundle. Out: a ConfigMap that holds it, repaired whenever it is changed.
// Never: holds a key; touches any other field or object; keeps the authority from issuing while it cannot be written.
// Source: Kubernetes, "Server-Side Apply"; SPIFFE Trust Domain and Bundle, section 4.

export { BundlePublisher, type BundlePublisherOptions } from './bundle-publisher.ts'
