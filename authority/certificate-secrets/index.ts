// Certificates as Secrets: the second way in which the authority delivers, for programs that read files and for nodes
// on which there is no agent.
//
// In: the labelled namespaces that the operator lists, their service accounts and Secrets, who runs which Service, the
// root, leadership. Out: for each account a Secret of our type with chain, key and roots, kept right; events of service
// accounts and a condition of each Namespace that say what could not be done.
// Never: writes while another replica leads, or faster than the API server should be asked; touches a Secret of another
// type; takes away a certificate that is valid for nothing; keeps a key once it is written, or tells of one.
// Source: X509-SVID; Kubernetes, core/v1 Secret, Event and NamespaceCondition, "API Conventions"; Istio 1.5, Citadel.

export {
  CertificateSecrets,
  type CertificateSecretsOptions,
  type MeshParts,
  type SecretsObserver
} from './certificate-secrets.ts'
export type { NamespaceList } from './namespaces.ts'
export type { Limits, RunService, Trust } from './types.ts'
