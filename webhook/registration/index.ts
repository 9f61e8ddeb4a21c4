// Registration: the API server knows the webhook's roots, and all replicas have the same.
//
// In: a client of the Kubernetes API, the serving certificate. Out: `caBundle` in the two webhook configurations, kept
// current; the Secret with the roots that replicas share.
// Never: makes a configuration, or touches any other field of one; writes a bundle older than the shared roots.
// Source: Kubernetes, admissionregistration.k8s.io/v1.

export { Registration, type RegistrationOptions } from './registration.ts'
export { SecretRoots, type SecretRootsOptions } from './secret-roots.ts'
