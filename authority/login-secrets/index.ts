// The secrets by which proxies sign people in: read from the Secrets that policies name, and from no other.
//
// In: policies with a login; Secrets, one at a time, of the Kubernetes API or of a folder; the time. Out: by policy, what
// its proxies need to be the client of its issuer, or why they cannot have it; and word of every change.
// Never: lists or watches Secrets; reads one of another type than Opaque; logs or quotes a value; keeps one that no
// policy names any more, or that is there no longer.
// Source: RFC 6749, appendix A.2 (what a client secret is), RFC 5869 (HKDF); Kubernetes, "Secrets".

export { FolderSecretStore } from './folder-secret-store.ts'
export { KubernetesSecretStore } from './kubernetes-secret-store.ts'
export type { LoginSecretCondition, LoginSecretState } from './login-secret-state.ts'
export { LoginSecrets, type LoginSecretsOptions } from './login-secrets.ts'
export type { SecretPlace, SecretReading, SecretStore } from './secret-store.ts'
